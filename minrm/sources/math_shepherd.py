"""Math-Shepherd (Wang et al. 2023): steps labelled by rollouts."""

import minrm.sources.reading as reading
from minrm.errors import InputError
from minrm.sources.reading import Row, Rows, Source

_TAG = "ки"  # Math-Shepherd's: rare in English, and one token to its model


def math_shepherd(path: Source = "peiyi9979/Math-Shepherd", split: str = "train", streaming: bool = False) -> Rows:
    """Math-Shepherd (Wang et al. 2023): GSM8K and MATH problems, each step labelled by rollouts -> process rows.

    In `input` the tag ` ки` ends each step; `label` repeats the text with + or - in place of the tag: whether one of
    the rollouts from there reached the right answer. A bad step does not end the labels; `labels_until_first_error` of
    `minrm.text` does. Dropped and counted: rows without "Step 1:" before the first tag, without a tag before a later
    step, or with a step without text.
    """

    def convert(record: Row, where: str) -> list[Row] | str:
        text, label = reading.texts(record, where, "input", "label")
        *steps, rest = text.split(_TAG)
        if not steps:
            raise InputError(f"{where}: no step tag {_TAG!r} in the input; is this Math-Shepherd?")
        labels: list[int | None] = []
        end = -1
        for step in steps:
            end += len(step) + 1
            labels.append(reading.LABELS.get(label[end : end + 1]))
        if None in labels:
            place = f"tag {labels.index(None) + 1} of {len(steps)}"
            raise InputError(f"{where}: the label has no + or - in place of {place} in the input; fetch the file again")
        parts = reading.split_question(steps[0])
        if parts is None:
            return reading.NO_START
        steps = [parts[1], *steps[1:]]
        if rest.strip():
            steps, labels = [*steps, rest], [*labels, None]
        if any(len(reading.NUMBER.findall(step)) > 1 for step in steps):
            return "a step without its tag"
        return reading.process_row(parts[0], [reading.without_annotations(step) for step in steps], labels)

    return reading.collect("Math-Shepherd", "process", convert, path, streaming, split=split)
