import pytest

import minrm
from minrm.errors import InputError
from minrm.world import shipped


def test_the_policy_is_shipped_in_stock_files_and_an_unknown_name_is_answered_with_those_that_are_there():
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {path.name for path in shipped("policy").iterdir()}
    with pytest.raises(InputError, match="there is .*policy"):
        shipped("polcy")


def test_every_public_name_can_be_imported():
    assert all(callable(getattr(minrm, name)) for name in minrm.__all__)
    assert set(minrm.__all__) == set(minrm._HOMES) == set(dir(minrm))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = minrm.nothing
