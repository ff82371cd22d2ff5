"""What all tests share: no network, no search through what is loaded, and the same examples every time."""

import gc
import json
import logging
import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("MPLBACKEND", "agg")

import pytest
from hypothesis import settings

# Examples are drawn from each test's own name, so that a failure in CI is a failure at home; time is pytest-timeout's.
settings.register_profile("minrm", deadline=None, derandomize=True)
settings.load_profile("minrm")


@pytest.fixture(autouse=True, scope="module")
def _garbage_is_not_looked_for_in_what_is_loaded():
    """Each training looks for garbage, in all objects of all libraries: that takes longer than a tiny training."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _our_log_is_as_loud_as_before():
    """The command line, called in a test, turns it up for its own process."""
    level = logging.getLogger("minrm").level
    yield
    logging.getLogger("minrm").setLevel(level)


@pytest.fixture
def written(tmp_path):
    """written(row, …, name="rows.jsonl") is the path of a file that holds these rows."""

    def write(*rows, name="rows.jsonl"):
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        text = "[" + ", ".join(lines) + "]" if name.endswith(".json") else "".join(line + "\n" for line in lines)
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return write


@pytest.fixture(scope="session")
def base(tmp_path_factory):
    """The folder of a tiny language model with the world's tokenizer, nothing learnt."""
    from minrm.world.policy import build_tokenizer, new_policy

    folder = tmp_path_factory.mktemp("base")
    new_policy(build_tokenizer(), layers=1, width=32).save_pretrained(folder)
    build_tokenizer().save_pretrained(folder)
    return str(folder)


@pytest.fixture
def right():
    """right(problem): a solution of a problem of the world without any mistake."""
    from random import Random

    from minrm.world import FLAWLESS, write

    return lambda problem: write(problem, Random(0), FLAWLESS)[0]
