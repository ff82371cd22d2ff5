"""HH-RLHF in its publisher's own layout: small files that the tests write, then every row of a real one."""

import os

import pytest
from real import raw, real

from minrm.errors import InputError
from minrm.sources import hh_rlhf

TALK = "\n\nHuman: Hello\n\nAssistant: Hi.\n\nHuman: Who are you?\n\nAssistant:"
PAIR = {"chosen": f"{TALK} A friend.", "rejected": f"{TALK} A foe."}


def test_hh_rlhf_splits_the_dialogue_where_the_responses_begin_and_keeps_later_turns_in_them(written):
    longer = PAIR["chosen"] + "\n\nHuman: Good\n\nAssistant: Yes"
    first, second = hh_rlhf(written(PAIR, PAIR | {"chosen": longer}))
    assert first == {"prompt": TALK, "chosen": "A friend.", "rejected": "A foe."}
    assert second == first | {"chosen": longer.removeprefix(TALK + " ")}


def test_hh_rlhf_drops_and_counts_pairs_that_say_nothing(written):
    equal, empty = PAIR | {"rejected": PAIR["chosen"] + " "}, PAIR | {"rejected": TALK}
    data = hh_rlhf(written(PAIR, equal, empty))
    assert len(data) == 1
    assert data.info.description.endswith("; 1 dropped: an empty response; 1 dropped: chosen equals rejected")


def test_dialogues_without_a_common_beginning_are_refused(written):
    with pytest.raises(InputError, match=r"rows\.jsonl, row 1: .*no '\\n\\nAssistant:' in common"):
        hh_rlhf(written({"chosen": "Hi", "rejected": "Ho"}))


def test_every_real_hh_rlhf_pair_is_split_without_loss():
    path = real("hh_rlhf_harmless.jsonl")
    data = hh_rlhf(path)
    silent = ("\n\nAssistant:", "\n\nAssistant: ")  # three of the published responses are empty
    published = [row for row in raw(path) if not (row["chosen"].endswith(silent) or row["rejected"].endswith(silent))]
    assert len(data) == len(published) == 1497
    for row, whole in zip(data, published, strict=True):
        for side in ("chosen", "rejected"):
            assert whole[side].startswith(row["prompt"])
            assert whole[side][len(row["prompt"]) :].strip() == row[side]
        assert "\n\nAssistant:" not in os.path.commonprefix([row["chosen"], row["rejected"]])  # no later place to split
