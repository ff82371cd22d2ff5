"""The checks of chapter 1, against answers that a learner would write."""

import re

import numpy as np
from hints import trial

from minrm.checks import check_calculations, check_last_number, check_wilson
from minrm.metrics import Estimate
from minrm.world import read_problem


def last_of(pattern):
    def last_number(solution):
        found = re.findall(pattern, solution)
        return found[-1] if found else None

    return last_number


def last_without_guard(solution):
    return re.findall(r"-?\d[\d,]*(?:\.\d+)?", solution)[-1].replace(",", "")


def last_or(default):
    return lambda solution: last_without_guard(solution) if re.search(r"\d", solution) else default


def last_of_words(solution):
    for word in reversed(solution.split()):
        number = word.strip(".,").replace(",", "")
        if re.fullmatch(r"-?\d+(\.\d+)?", number):
            return number
    return None


test_last_number = trial(
    check_last_number,
    [last_or(None), last_of_words],
    [
        (lambda solution: re.findall(r"\d+", solution)[0], "that is the first number"),
        (last_of(r"\d"), "that is one digit of it"),
        (last_of(r"\d+"), "the minus sign is part of the number"),
        (last_of(r"-?\d+"), "the digits after a decimal point"),
        (last_of(r"-?\d+(?:\.\d+)?"), "let the pattern pass them"),
        (last_of(r"-?\d[\d,]*(?:\.\d+)?"), "the comma groups the thousands"),
        (last_of(r"-?[\d.,]+"), "a comma or full stop that no digit follows"),
        (last_without_guard, "stopped with IndexError: list index out of range"),
        (last_or(""), "return None, not an empty text"),
        (last_or("0"), "0 would be an answer"),
        (lambda solution: float(last_without_guard(solution)), "let this be text too"),
        (lambda solution: solution.split()[-1], "that is the last word"),
        (lambda solution: re.findall(r"-?\d[\d,]*(?:\.\d+)?", solution), "the list of all numbers"),
        (lambda solution: re.sub(r"\D", "", solution), "all digits of the text in one"),
        (lambda solution: print(solution), "And does the function end in `return`?"),
        (last_of(r"^\d+$"), "Does the pattern find this number"),
        (last_of(r"-?\d+(\.\d+)?"), "write `(?:…)` instead"),
        (last_of(r"-?\d[\d,]*(\.\d+)?"), "write `(?:…)` instead"),
        (last_of(r"-?\d+(,\d{3})*(\.\d+)?"), "write `(?:…)` instead"),
        (last_of(r"(-?\d+(\.\d+)?)"), "write `(?:…)` instead"),
        (last_of(r"-?\d+(?:,\d+)*(\.\d*)?"), "write `(?:…)` instead"),
        (last_of(r"-?\d+"), "last_number('half of 7 is 3.5') gave '5', expected '3.5': "),
    ],
)


def wilson(k, n, z=1.96, under=True, factor=True, shifted=True):
    share = k / n
    centre = share + shifted * z**2 / (2 * n)
    half = z * (share * (1 - share) / n + under * z**2 / (4 * n**2)) ** 0.5
    divisor = 1 + factor * z**2 / n
    return (centre - half) / divisor, (centre + half) / divisor


def wilson_by_roots(k, n):
    """The accuracies at which the distance to the share is z standard errors: roots of a quadratic."""
    z2, share = 1.959963984540054**2, k / n
    return sorted(np.roots([1 + z2 / n, -2 * share - z2 / n, share**2]).real)


def wilson_of_package(k, n):
    e = Estimate.over_problems([1] * k + [0] * (n - k))
    return np.array([e.low, e.high])


def wald(k, n):
    p = k / n
    half = 1.96 * np.sqrt(p * (1 - p) / n)
    return p - half, p + half


def around_the_share(k, n):
    low, high = wilson(k, n)
    return k / n - (high - low) / 2, k / n + (high - low) / 2


test_wilson = trial(
    check_wilson,
    [wilson, wilson_by_roots, wilson_of_package],
    [
        (wald, "this is the familiar p ± z"),
        (lambda k, n: (max(wald(k, n)[0], 0), min(wald(k, n)[1], 1)), "cutting the familiar interval"),
        (lambda k, n: wilson(k, n, factor=False), "the factor 1 / (1 + z²/n) is missing"),
        (around_the_share, "the centre is not k/n"),
        (lambda k, n: wilson(k, n)[::-1], "the lower end comes first"),
        (lambda k, n: [100 * end for end in wilson(k, n)], "these are per cent"),
        (lambda k, n: wilson(k, n, z=1.645), "z = 1.645 is for 90 %"),
        (lambda k, n: wilson(k, n, z=1), "one standard error"),
        (lambda k, n: (np.mean(wilson(k, n)), np.diff(wilson(k, n))[0] / 2), "centre and half-width"),
        (lambda k, n: tuple(round(end, 2) for end in wilson(k, n)), "rounded too early"),
        (lambda k, n: wilson(k, n)[0], "that is one number"),
        (lambda share, n: wilson(share * n, n), "k is a count of right answers"),
        (lambda k, n: wilson(k, n, under=False), "piece by piece"),
        (lambda k, n: k / n, "this is the share"),
    ],
)


def count(events=1, compared=("consistent", "inconsistent"), doubled=("boxes", "gives")):
    def calculations(question):
        problem = read_problem(question)
        products = sum(event.kind in doubled for event in problem.events)
        return (problem.wording in compared) + len(problem.events) * events + products

    return calculations


def by_words(question):
    phrases = r" than | (loses|sells|drops|buys|finds|wins|gives) | boxes | each "
    return len(re.findall(phrases, question))


test_calculations = trial(
    check_calculations,
    [count(), by_words, lambda question: len(re.findall(r"\d+", question)) - 1],
    [
        (count(compared=(), doubled=()), "these are the events alone"),
        (count(compared=()), "takes a calculation of its own"),
        (count(compared=("inconsistent",)), "in both wordings"),
        (count(doubled=()), "boxes, or gifts to each of some friends"),
        (count(doubled=("gives",)), "boxes of something take two"),
        (count(doubled=("boxes",)), "gifts to each of some friends take two"),
        (lambda question: len(re.findall(r"\d+", question)), "that counts the numbers"),
        (lambda question: question.count("."), "that counts the sentences"),
        (lambda question: count(compared=())(question) + 1, "no comparison to calculate"),
        (lambda problem: len(problem.events), "'str' object has no attribute 'events'"),
        (lambda question: str(count()(question)), "as a number, not as text"),
    ],
)
