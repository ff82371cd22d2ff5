"""HH-RLHF (Bai et al. 2022): two responses to a dialogue, one of them preferred by a person."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from minrm.errors import InputError
from minrm.sources.reading import Row, collect, read_records, texts

if TYPE_CHECKING:
    from datasets import Dataset


def hh_rlhf(
    path: str | os.PathLike = "Anthropic/hh-rlhf",
    split: str = "train",
    data_dir: str | None = None,
    equal: str = "drop",
    streaming: bool = False,
) -> Dataset:
    """HH-RLHF (Bai et al. 2022): two dialogues, one of them preferred -> pairs {prompt, chosen, rejected}.

    The prompt is everything up to and including the last "\\n\\nAssistant:" before which both dialogues are the same;
    what follows are the responses, without the space at their ends. Pairs whose responses are equal or empty are
    dropped and counted, or with equal="error" refused. split, data_dir ("harmless-base", …): of the hub's data.
    """
    if equal not in ("drop", "error"):
        raise InputError(f'equal={equal!r}; it is "drop" or "error"')

    def convert(record: Row, place: str) -> tuple[list[Row], str]:
        chosen, rejected = texts(record, place, "chosen", "rejected")
        row = _pair(chosen, rejected, place)
        cause = "chosen equals rejected" if row["chosen"] == row["rejected"] else ""
        cause = cause or ("" if row["chosen"] and row["rejected"] else "an empty response")
        return ([], cause) if cause and equal == "drop" else ([row], "")

    records = read_records(path, "hh_rlhf", split=split, data_dir=data_dir, streaming=streaming)
    return collect("HH-RLHF", "pair", records, convert, streaming)


def _pair(chosen: str, rejected: str, place: str) -> Row:
    common = len(os.path.commonprefix([chosen, rejected]))
    turn = "\n\nAssistant:"
    start = chosen.rfind(turn, 0, common)
    if start < 0:
        raise InputError(f"{place}: the dialogues have no {turn!r} in common, so there is no prompt; is this HH-RLHF?")
    end = start + len(turn)
    return {"prompt": chosen[:end], "chosen": chosen[end:].strip(), "rejected": rejected[end:].strip()}
