"""What all sources share: where records come from, how they are counted, streamed, and refused."""

import logging
import subprocess
import sys

import pytest

from minrm.errors import InputError
from minrm.sources import gsm8k, hh_rlhf, prm800k, processbench, trl_stepwise
from minrm.sources.reading import split_question

PROBLEM = {"question": "How many?", "answer": "He has 2+3=<<2+3=5>>5 pens.\n#### 1,005"}
TALK = "\n\nHuman: Hello\n\nAssistant:"
PAIR = {"chosen": f"{TALK} A friend.", "rejected": f"{TALK} A foe."}


def test_a_function_is_never_hidden_by_the_module_of_its_name():
    code = "import minrm.sources.gsm8k, minrm.sources.prm800k; from minrm.sources import gsm8k, prm800k; gsm8k.__name__"
    check = "import minrm.sources as s; assert all(callable(getattr(s, name)) for name in s.__all__)"
    subprocess.run([sys.executable, "-c", f"{code}; {check}"], check=True)


@pytest.mark.parametrize("name", ["row.jsonl", "data/train.jsonl"])  # the second looks like a hub name
def test_a_missing_file_is_told_from_a_hub_name(name):
    with pytest.raises(InputError, match=f"{name}: no such file"):
        gsm8k(name)


@pytest.mark.parametrize(("function", "name"), [(gsm8k, "openai/gsm8k"), (hh_rlhf, "Anthropic/hh-rlhf")])
@pytest.mark.parametrize("rows_before", [0, 1])
def test_an_unreachable_hub_says_how_to_go_on_without_it(monkeypatch, function, name, rows_before):
    def load(path, **options):
        yield from [PROBLEM | PAIR] * rows_before
        raise ConnectionError("no route\nto the host")

    monkeypatch.setattr("datasets.load_dataset", load)
    stream = function(streaming=True)
    assert len([next(stream) for _ in range(rows_before)]) == rows_before
    with pytest.raises(InputError, match=rf"^{name}: .*Error: no route to the host\); give a file.*world\.generate"):
        next(stream)


def test_data_without_a_publishers_hub_name_are_asked_for_as_a_file():
    with pytest.raises(InputError, match=r"openai/prm800k: no such file, and PRM800K is not on the hub"):
        prm800k("openai/prm800k")


def test_the_hub_is_asked_for_configuration_split_and_folder(monkeypatch):
    asked = []

    def load(path, **options):
        asked.append((path, options))
        return [PROBLEM | PAIR]

    monkeypatch.setattr("datasets.load_dataset", load)
    gsm8k(split="test")
    hh_rlhf(data_dir="harmless-base")
    next(gsm8k(streaming=True))
    assert asked == [
        ("openai/gsm8k", {"name": "main", "split": "test"}),
        ("Anthropic/hh-rlhf", {"split": "train", "data_dir": "harmless-base"}),
        ("openai/gsm8k", {"name": "main", "split": "train", "streaming": True}),
    ]


def test_every_source_is_in_the_table_and_streams(written):
    from minrm import sources

    for name in sources.__all__:
        assert f"\n    {name} " in sources.__doc__
        with pytest.raises(InputError, match="no such file"):  # when it is read, not before
            next(getattr(sources, name)("nowhere.jsonl", streaming=True))


def test_a_stream_gives_the_rows_before_a_bad_one_and_counts_at_the_end(written, caplog):
    stream = gsm8k(written(PROBLEM, PROBLEM | {"answer": "5"}), streaming=True)
    assert next(stream)["answer"] == "1,005"
    with pytest.raises(InputError, match=r"rows\.jsonl, row 2: the worked answer has no line"):
        next(stream)
    with caplog.at_level(logging.INFO, logger="minrm"):
        assert len(list(hh_rlhf(written(PAIR, PAIR | {"rejected": TALK}), streaming=True))) == 1
    assert caplog.messages == ["HH-RLHF: 1 of 2 rows used, 1 pair rows; 1 dropped: an empty response"]


HEADER = "a\nStep: 2: b"  # scoring would split it in two


@pytest.mark.parametrize(
    ("read", "record", "field"),
    [
        (processbench, {"problem": "q", "steps": ["a", "c"], "label": -1}, "steps"),
        (trl_stepwise, {"prompt": "q", "completions": ["a", "c"], "labels": [True, False]}, "completions"),
    ],
)
def test_rows_with_a_steps_header_inside_a_step_are_dropped_wherever_they_stand(read, record, field, written):
    bad = record | {field: [HEADER, "c"]}
    for rows in ([bad, record], [record, bad]):
        made = read(written(*rows))
        assert made["steps"] == [["a", "c"]]
        cause = "1 dropped: a step with a line that begins like a header (Step: 1:)"
        assert cause in made.info.description
    with pytest.raises(InputError, match="none of 1 rows can be used; 1 dropped: a step with a line"):
        read(written(bad))


@pytest.mark.parametrize(
    ("text", "whole", "expected"),
    [
        ("As in Step 1: what? Step 1: 3 + 4 = 7", False, "As in Step 1: what?"),
        ("Step 1: add.\nStep 2: halve.\nWhat? Step 1: 3 + 4 = 7", False, "Step 1: add.\nStep 2: halve.\nWhat?"),
        ("As in Step 1: what? Step 1: 3\nStep 2: from Step 1: 4", True, "As in Step 1: what?"),
        ("As in Step 1: what? Step 1: 3 Step 2: by Step 1: 4 Step 3: by Step 2: 5", True, "As in Step 1: what?"),
        ("Step 1: add.\nStep 2: halve.\nWhat? Step 1: 3\nStep 2: 4", True, "Step 1: add.\nStep 2: halve.\nWhat?"),
        ("What? Step 1: 3", True, "What?"),
        ("Step 1: 3", False, None),
        ("What?", False, None),
    ],
)
def test_the_solution_begins_at_the_last_first_step(text, whole, expected):
    parts = split_question(text, whole)
    assert (parts and parts[0].strip()) == expected
    assert not parts or "".join(parts) == text
