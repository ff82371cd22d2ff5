from minrm.cli.inputs import find_model


def test_policy_means_the_shipped_model_unless_a_folder_of_that_name_is_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_model("policy") != "policy" and find_model("other/model") == "other/model"
    (tmp_path / "policy").mkdir()
    assert find_model("policy") == "policy"
