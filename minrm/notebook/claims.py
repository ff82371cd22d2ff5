"""Claims of a chapter about a live measurement, which differs a little from machine to machine."""


def claim(sentence: str, holds: bool, measured: str = "") -> None:
    """Print the sentence with a tick if it `holds`; if not, say kindly that it came out differently here.

    measured: the numbers, shown only where the claim does not hold, so that a ticked line is the same everywhere.
    """
    if holds:
        print(f"✓ {sentence}")
    else:
        numbers = f" Measured here: {measured}." if measured else ""
        print(
            f"✗ Here it came out differently: {sentence}{numbers} Live results vary with hardware and versions; "
            "the page shows what was measured where the book was run. Read on, or run the chapter again from the top."
        )
