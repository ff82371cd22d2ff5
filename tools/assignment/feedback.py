"""A page of feedback for each student: one file that stands alone, with what was judged and what a person judges."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from rubric import CODE, POINTS

if TYPE_CHECKING:
    from table import Verdict

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


def page(verdict: Verdict, row: dict[str, str]) -> str:
    """The feedback as HTML; whatever comes from a submission is text in it, and nothing else.

    row: of the table, with the points that a person typed.
    """
    explanation = row["explanation"]
    points = {
        "Code": (row["code"], CODE),
        "Experiment": (row["experiment"], POINTS["experiment"]),
        "Explanation": (explanation or "read by your instructor", POINTS["explanation"]),
        "Together": (row["total so far"] if explanation else "when the explanation is read", 100),
    }
    lines = (
        f"<tr><th>{part}</th><td>{escape(got)}</td><td>of {most}</td></tr>" for part, (got, most) in points.items()
    )
    notes = (f"<li><strong>{escape(part)}.</strong> {escape(sentence)}</li>" for part, sentence in verdict.notes)
    student = escape(verdict.student)
    body = (
        f"<h1>Supervise only the final token: {student}</h1><table>{''.join(lines)}</table><h2>What was seen</h2>"
        f"<ul>{''.join(notes)}</ul><h2>What I see and why</h2>"
        f"<blockquote>{escape(verdict.explanation) or 'Nothing yet.'}</blockquote>"
    )
    return PAGE.format(title=f"Feedback for {student}", body=body)
