"""The command line prints one line that a shell can run, or one line that says why not."""

import pytest
from served import KINDS, tiny

from minrm.cli.__main__ import main
from minrm.inference.engines import engine_command


@pytest.mark.parametrize("name", KINDS)
def test_the_line_of_a_folder_is_that_of_its_model(name, tmp_path, capsys):
    model, folder = tiny(name), str(tmp_path / "a folder")
    model.save_pretrained(folder)
    with pytest.raises(SystemExit) as end:
        main(["serve-command", folder])
    assert end.value.code == 0 and capsys.readouterr().out == engine_command(model, folder) + "\n"


def test_what_is_not_a_reward_model_of_ours_is_one_line(base, capsys):
    with pytest.raises(SystemExit) as end:
        main(["serve-command", base])
    assert end.value.code == 2 and "is a language model without a step token" in capsys.readouterr().err
