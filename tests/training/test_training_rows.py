"""What training reads: which rows are left out and told, and what is refused before the first update."""

import logging

import numpy as np
import pandas as pd
import pytest
import torch
from learners import KINDS, OUTCOMES, orm, rows
from tiny import causal, word_level

from minrm.errors import InputError
from minrm.orm import every_token
from minrm.training.rows import check_supervision, collator, prepared


@pytest.mark.parametrize("kind", KINDS)
def test_rows_stay_in_order_beside_what_they_ask(kind):
    model, data = KINDS[kind].from_base(causal(), tokenizer=word_level()), rows(kind)
    found = prepared(model, iter(data), None, "dataset")  # read once
    assert found.dropped == 0 and str(found.rows) == str(model.prepare(data))
    assert found.questions == [row["prompt" if kind == "pair" else "question"] for row in data]


def test_rows_that_truncation_would_spoil_are_dropped_counted_and_reported(caplog):
    model = orm()
    lengths = np.array([len(row["input_ids"]) for row in model.prepare(OUTCOMES)])
    limit = int(np.median(lengths))
    longer = np.flatnonzero(lengths > limit) + 1
    with caplog.at_level(logging.WARNING):
        found = prepared(model, OUTCOMES, limit, "dataset")
    assert found.dropped == len(longer) > 0 and len(found.rows) == len(found.questions) == 40 - len(longer)
    assert max(len(row["input_ids"]) for row in found.rows) <= limit
    kept = [row["question"] for row, length in zip(OUTCOMES, lengths, strict=True) if length <= limit]
    assert found.questions == kept
    assert (
        f"dataset: dropped {len(longer)} of 40 rows" in caplog.text
        and f"(rows {longer[0]}, {longer[1]}," in caplog.text
    )
    with pytest.raises(InputError, match="^held out: none of its 40 rows can be used .*; check max_length and labels"):
        prepared(model, OUTCOMES, 3, "held out")


def test_without_a_limit_of_ones_own_the_models_holds():
    short = KINDS["outcome"].from_base(causal(max_position_embeddings=60), tokenizer=word_level())
    lengths = [len(row["input_ids"]) for row in short.prepare(OUTCOMES)]
    assert prepared(short, OUTCOMES, None, "dataset").dropped == sum(length > 60 for length in lengths) > 0
    assert prepared(short, OUTCOMES, max(lengths), "dataset").dropped == 0


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("train.jsonl", "wanted its rows: a list of dicts"),
        (pd.DataFrame(OUTCOMES), r'a DataFrame; pass df.to_dict\("records"\)'),
        ([], "is empty; training needs at least one row"),
        ([*OUTCOMES[:4], {"question": "q"}], "row 5: missing field"),
    ],
)
def test_what_is_no_list_of_rows_is_refused_under_its_name(data, told):
    with pytest.raises(InputError, match=f"^held out.*{told}"):
        prepared(orm(), data, None, "held out")


def test_only_an_outcome_model_is_told_what_to_learn_from():
    def odd(mask):
        return mask & (torch.arange(mask.shape[1]) % 2 == 1)

    model = orm()
    data = model.prepare(OUTCOMES[:4])
    whole, part = (collator(model, supervised)(data)["targets"]["supervised"] for supervised in (every_token, odd))
    assert torch.equal(part, odd(whole)) and collator(model, odd)(data)["count"] == int(part.sum())
    for kind in ("process", "pair"):
        other = KINDS[kind].from_base(causal(), tokenizer=word_level())
        assert collator(other, every_token) == other.collate
        with pytest.raises(InputError, match=f"supervised is for an outcome reward model; {type(other).__name__} has"):
            collator(other, odd)


@pytest.mark.parametrize("size", [1, 7, 100])
def test_one_supervised_token_anywhere_is_enough(size):
    """In the last row alone, whatever the batches; with none in a whole, its name is said."""
    model = orm()
    data = sorted(model.prepare(OUTCOMES), key=lambda row: int(row["solution_mask"].sum()))
    longest = int(data[-1]["solution_mask"].sum())
    collate = collator(model, lambda mask: mask & (mask.cumsum(dim=1) == longest))
    check_supervision(collate, data, [], size)
    few = [row for row in data if row["solution_mask"].sum() < longest]
    for whole, held_out, name in (few, [], "dataset"), (data, few, "eval_dataset"):
        with pytest.raises(InputError, match=f"^{name}: supervised is false on every token"):
            check_supervision(collate, whole, held_out, size)
