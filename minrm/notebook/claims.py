"""What a chapter claims of a live measurement, checked where it is read.

A live result differs a little from machine to machine. The sentence that the prose makes of it, with the slack that its
sampling error needs, should hold on all of them: the cell under each measurement says whether it does.
"""


def claim(sentence: str, holds: bool, found: str = "") -> None:
    """Print the sentence with a tick if it `holds`; if not, say kindly that it came out differently here.

    found: what was measured here, told only where the claim does not hold, so that the ticked line is the same on every
    machine.
    """
    if holds:
        print(f"✓ {sentence}")
    else:
        measured = f" Measured here: {found}." if found else ""
        print(
            f"✗ Here it came out differently: {sentence}{measured} Live results vary with hardware and versions; "
            "the page shows what was measured where the book was run. Read on, or run the chapter again from the top."
        )
