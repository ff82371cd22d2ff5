"""How a check tries the learner's answer, and how it finds the hint that fits.

Typical mistakes are functions, as a learner would have written them. If such a function gives the learner's results on
every input, its hint is given.
"""

import dis
import inspect
import operator
import re
from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import wraps
from typing import Any

import numpy as np

from minrm.text import final_answer, same_answer

LONGEST = 240  # characters of an input or a result in a hint
NOTHING = "nothing came back; does every way through the function end in `return`?"
UNCHANGED = "that is what the function was given, unchanged"

Mistake = tuple[Callable[..., Any], str]  # what a learner would have written, and the hint for it
Same = Callable[[Any, Any], bool]
Tried = tuple[tuple[Any, ...], Any]  # a case, and the learner's result


class WrongAnswer(AssertionError):
    """The hint of a check. Jupyter and Colab show the hint alone; plain Python and nbval see an AssertionError."""

    def _render_traceback_(self) -> list[str]:
        """The lines that IPython shows in place of the traceback, which leads into the check and helps no learner."""
        return [f"✗ {self}"]


def exercise(check: Callable[..., None]) -> Callable[..., None]:
    """The check, wrapped so that it only asks for the answer while the answer is still `...`.

    So a chapter whose exercises are empty runs from top to bottom. Empty is `...` itself, a list that holds it, and a
    function whose body is `...` or `pass`.
    """
    name = check.__name__.removeprefix("check_")

    @wraps(check)
    def checked(answer: Any, *args: Any, **options: Any) -> None:
        if _is_empty(answer):
            print(f"✎ {name} is still empty: fill it in above, run that cell, then run this one.")
        else:
            check(answer, *args, **options)

    return checked


def _is_empty(answer: Any) -> bool:
    """Whether the learner has not begun: `...`, a list or tuple that holds it, or a function that does nothing."""
    if not inspect.isfunction(answer):
        return answer is ... or (isinstance(answer, list | tuple) and any(part is ... for part in answer))
    steps = [step for step in dis.get_instructions(answer) if step.opname not in ("RESUME", "NOP", "RETURN_VALUE")]
    return all(step.opname in ("LOAD_CONST", "RETURN_CONST") and step.argval in (None, ...) for step in steps)


def compare(
    name: str,
    function: Callable[..., Any],
    cases: Sequence[tuple[Any, ...]],
    right: Callable[..., Any],
    mistakes: Sequence[Mistake],
    otherwise: str,
    same: Same = operator.eq,
) -> None:
    """Raise WrongAnswer unless `function` gives what `right` gives on each of the `cases` (tuples of arguments).

    name: the function's name in the exercise. mistakes: tried in order; one that gives all the learner's results
    explains them, else one that gives the first wrong result, else `otherwise` is the hint. same: compares two results.
    """
    tried: list[Tried] = []
    wrong: Tried | None = None
    for case in cases:
        try:
            tried.append((case, attempt(name, function, *case)))
        except WrongAnswer:
            if not wrong:
                raise
            break  # the value that was wrong before it says more than the exception
        if not wrong and not _same(same, tried[-1][1], right(*case)):
            wrong = tried[-1]
    if wrong:
        case, result = wrong
        known = [*mistakes, (lambda *_: None, NOTHING), (lambda *arguments: arguments[0], UNCHANGED)]
        shown = f"{call(name, case)} gave {short(repr(result))}, expected {short(repr(right(*case)))}"
        raise WrongAnswer(f"{shown}: {likely(known, tried, wrong, same) or otherwise}")


def likely(mistakes: Sequence[Mistake], tried: Sequence[Tried], wrong: Tried, same: Same = operator.eq) -> str:
    """The hint of the first mistake that gives all results, else of the first that gives the wrong one, else empty."""
    hints = [hint for mistake, hint in mistakes if _explains(same, mistake, tried)]
    hints += [hint for mistake, hint in mistakes if _explains(same, mistake, [wrong])]
    return hints[0] if hints else ""


def attempt(name: str, function: Callable[..., Any], *arguments: Any, shown: str = "") -> Any:
    """The result of `function` for copies of the arguments; WrongAnswer if it stops, or changes its arguments.

    shown: how to write the call in a message, if not with its arguments.
    """
    must_be_function(name, function)
    copies, shown = deepcopy(arguments), shown or call(name, arguments)
    try:
        result = function(*copies)
    except Exception as error:  # whatever the learner's code raises is a hint to the learner
        reason = f"{type(error).__name__}: {error}"
        raise WrongAnswer(f"{shown} stopped with {reason}. Try it by itself on this input.") from error
    if repr(copies) != repr(arguments):
        now = short(", ".join(map(repr, copies)))
        raise WrongAnswer(f"{shown} changed its arguments, to {now}; work on a copy of them")
    return result


def must_be_function(name: str, function: Any) -> None:
    """Refuse what cannot be called, such as the function's result."""
    if not callable(function):
        what = short(repr(function))
        raise WrongAnswer(f"the check was given {what}; give it the function itself, `{name}` without brackets")


def wrong_answer(name: str, solution: Any, truth: str) -> str:
    """The final answer of the learner's wrong solution, a text. WrongAnswer if none can be read, or if it is right."""
    if not isinstance(solution, str):
        raise WrongAnswer(f"{name} is of type {type(solution).__name__}; expected one text, with a line for each step")
    given = final_answer(solution)
    if given is None:
        raise WrongAnswer(
            f"no final answer can be read in {name}: end it with `# Answer`, an empty line, and the answer"
        )
    if same_answer(given, truth):
        raise WrongAnswer(f"the final answer of {name} is {given}, which is right; write a solution that is wrong")
    return given


def call(name: str, arguments: tuple[Any, ...]) -> str:
    """The call as the learner would write it, cut where it grows long."""
    return f"{name}({short(', '.join(map(repr, arguments)))})"


def close(a: Any, b: Any, atol: float = 1e-7) -> bool:
    """Whether two numbers, or two sequences of numbers, agree to a few digits of single precision; nan is like nan."""
    return np.shape(a) == np.shape(b) and bool(np.allclose(a, b, rtol=1e-5, atol=atol, equal_nan=True))


def _same(same: Same, a: Any, b: Any) -> bool:
    if a is None or b is None:  # numbers compare by closeness, and None is close to nothing
        return a is b
    try:
        return bool(same(a, b))
    except (TypeError, ValueError):  # of kinds that do not compare: not the same
        return False


def _explains(same: Same, mistake: Callable[..., Any], tried: Sequence[Tried]) -> bool:
    """Whether the mistake gives these results in all cases; a mistake that would have stopped does not."""
    try:
        return all(_same(same, result, mistake(*case)) for case, result in tried)
    except Exception:
        return False


def short(text: str) -> str:
    """On one line, numpy's numbers as plain ones, and cut where it grows long."""
    text = re.sub(r"np\.\w+\(([-\w.]+)\)", r"\1", " ".join(text.split()))
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
