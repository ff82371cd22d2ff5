"""Process data in TRL's layout, *stepwise supervision*."""

from minrm.sources.reading import Row, Rows, Source, collect, get, process_row, texts


def trl_stepwise(path: Source = "trl-lib/math_shepherd", split: str = "train", streaming: bool = False) -> Rows:
    """Process data in TRL's layout *stepwise supervision* (prompt, completions, labels) -> process rows.

    labels: true or false, or how good between 0 and 1; null is none. Dropped and counted: rows with a step without
    text.
    """

    def convert(record: Row, where: str) -> list[Row] | str:
        steps, labels = (get(record, name, list, where) for name in ("completions", "labels"))
        labels = [int(label) if isinstance(label, bool) else label for label in labels]
        return process_row(texts(record, where, "prompt")[0], steps, labels)

    return collect("TRL stepwise", "process", convert, path, streaming, split=split)
