"""A page of feedback for each student: one file that stands alone, with what was judged and what a person judges."""

from __future__ import annotations

from html import escape

import rubric
from judge import Verdict

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 1rem/1.6 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a;
  background: #fff; }}
table {{ border-collapse: collapse; }} th, td {{ text-align: left; padding: .3rem 1.2rem .3rem 0;
  border-bottom: 1px solid #ccc; vertical-align: top; }}
blockquote {{ margin: 0; padding: .1rem 1rem; background: #f3f3f3; white-space: pre-wrap; }}
td, blockquote, li {{ overflow-wrap: anywhere; }} pre {{ overflow-x: auto; background: #f3f3f3; padding: .6rem 1rem; }}
</style></head><body>
{body}
</body></html>
"""


def page(student: str, verdict: Verdict) -> str:
    """The feedback as HTML; whatever comes from a submission is text in it, and nothing else."""
    rows = [
        ("Code: the check", str(verdict.check), rubric.CHECK),
        ("Code: a short training", str(verdict.trained), rubric.TRAINED),
        ("Experiment", str(verdict.experiment), rubric.EXPERIMENT),
        ("Explanation", "read by your instructor", rubric.EXPLANATION),
        ("Together", "when the explanation is read", 100),
    ]
    lines = "".join(
        f'<tr><th>{part}</th><td id="{part.split()[0].lower()}">{points}</td><td>of {most}</td></tr>'
        for part, points, most in rows
    )
    told = "".join(f"<li><strong>{escape(part)}.</strong> {escape(said)}</li>" for part, said in verdict.told)
    written = escape(verdict.explanation) or "Nothing yet."
    body = (
        f"<h1>Supervise only the final token: {escape(student)}</h1><table>{lines}</table>"
        f"<h2>What was seen</h2><ul>{told}</ul><h2>What I see and why</h2><blockquote>{written}</blockquote>"
    )
    return PAGE.format(title=f"Feedback for {escape(student)}", body=body)


def with_points(page: str, row: dict[str, str]) -> str:
    """The page with what a person typed into the table: a corrected experiment, the explanation's points, the sum."""
    typed = {"experiment": row["experiment"].strip(), "explanation": row["explanation"].strip()}
    typed["together"] = row["total so far"] if typed["explanation"] else ""
    for name, points in typed.items():
        before, cell, rest = page.partition(f'<td id="{name}">')
        if cell and points:
            page = before + cell + escape(points) + rest[rest.index("</td>") :]
    return page
