"""HH-RLHF (Bai et al. 2022): two responses to a dialogue, one of them preferred by a person."""

import os

from minrm.errors import InputError
from minrm.sources.reading import Row, Rows, Source, collect, texts

_TURN = "\n\nAssistant:"


def hh_rlhf(
    path: Source = "Anthropic/hh-rlhf", split: str = "train", data_dir: str | None = None, streaming: bool = False
) -> Rows:
    """HH-RLHF (Bai et al. 2022): two dialogues, one of them preferred -> pairs {prompt, chosen, rejected}.

    The prompt is everything up to and including the last "\\n\\nAssistant:" before which both dialogues agree; what
    follows are the responses, without the space at their ends. Dropped and counted: pairs whose responses are equal or
    empty. split, data_dir ("harmless-base", …): of the hub's data.
    """

    def convert(record: Row, where: str) -> list[Row] | str:
        chosen, rejected = texts(record, where, "chosen", "rejected")
        start = chosen.rfind(_TURN, 0, len(os.path.commonprefix([chosen, rejected])))
        if start < 0:
            raise InputError(f"{where}: the dialogues have no {_TURN!r} in common; is this HH-RLHF?")
        end = start + len(_TURN)
        row = {"prompt": chosen[:end], "chosen": chosen[end:].strip(), "rejected": rejected[end:].strip()}
        if row["chosen"] == row["rejected"]:
            return "chosen equals rejected"
        return [row] if row["chosen"] and row["rejected"] else "an empty response"

    return collect("HH-RLHF", "pair", convert, path, streaming, split=split, data_dir=data_dir)
