"""The checks of chapter 9, against answers that a learner would write."""

import math

import numpy as np
import pandas as pd
from hints import trial

from minrm.checks import check_equal_samples, check_survivors
from minrm.using.search import Beam, keep


def by_package(scores, trees, diverse):
    beams = [Beam(own, str(place), score) for place, (own, score) in enumerate(zip(trees, scores, strict=True))]
    return [int(beam.text) for beam in keep(beams, len(set(trees)), diverse)]


def by_pandas(scores, trees, diverse):
    table = pd.DataFrame({"score": scores, "tree": trees})
    best = table.groupby("tree").score.idxmax() if diverse else table.score.nlargest(table.tree.nunique()).index
    return best.tolist()


def beam(scores, trees, diverse=False):
    return np.argsort(scores)[::-1][: len(set(trees))]


def tree(scores, trees, diverse=True):
    best = {}
    for place, own in enumerate(trees):
        if own not in best or scores[place] > scores[best[own]]:
            best[own] = place
    return list(best.values())


def either(scores, trees, diverse):
    return tree(scores, trees) if diverse else beam(scores, trees)


test_survivors = trial(
    check_survivors,
    [by_package, by_pandas, either],
    [
        (beam, "each tree keeps its best, however low"),
        (tree, "a tree may keep several, or none"),
        (lambda s, t, d: either(s, t, not d), "the other way round"),
        (lambda s, t, d: either([1 - x for x in s], t, d), "these have the lowest scores"),
        (lambda s, t, d: [s[k] for k in either(s, t, d)], "these are the scores"),
        (lambda s, t, d: [t[k] for k in either(s, t, d)], "these are numbers of trees"),
        (lambda s, t, d: [k + 1 for k in either(s, t, d)], "begin with 0"),
        (lambda s, t, d: tree(s, t) if d else [s.index(max(s))], "the best beginning alone"),
        (lambda s, t, d: tree(s, t) if d else np.argsort(s)[::-1][: t.count(t[0])], "how many grow from each"),
        (lambda s, t, d: np.unique(t, return_index=True)[1], "the first of each tree"),
        (lambda s, t, d: np.argmax(s), "sort this input by hand"),
        (lambda s, t, d: s.sort(), "changed its arguments"),
    ],
)  # fmt: skip


def samples(generated, scored, tokens, read):
    return [max(round(generated / tokens), 1), max(round((generated + scored) / (tokens + read)), 1)]


def by_arrays(generated, scored, tokens, read):
    return np.clip(np.round(np.cumsum([generated, scored]) / np.cumsum([tokens, read])), 1, None)


test_equal_samples = trial(
    check_equal_samples,
    [samples, by_arrays],
    [
        (lambda g, s, t, r: (samples(g, s, t, r)[0], max(1, round((g + s) / t))), "a sample is read too"),
        (lambda g, s, t, r: (samples(g, s, t, r)[0], max(1, round(g / (t + r)))), "`generated + scored`"),
        (lambda g, s, t, r: (samples(g, s, t, r)[0], max(1, round(s / r))), "counts only what is read"),
        (lambda g, s, t, r: (samples(g, s, t, r)[0], max(1, round(g / t + s / r))), "add the tokens up before"),
        (lambda g, s, t, r: (round(g / t), round((g + s) / (t + r))), "no best of 0 samples"),
        (lambda g, s, t, r: (max(1, g // t), max(1, (g + s) // (t + r))), "here the rest is cut off"),
        (lambda g, s, t, r: (math.ceil(g / t), math.ceil((g + s) / (t + r))), "here it is rounded up"),
        (lambda g, s, t, r: (g / t, (g + s) / (t + r)), "a whole number"),
        (lambda *counts: samples(*counts)[::-1], "first the samples by what is written"),
        (lambda *counts: samples(*counts)[0], "the first number alone"),
        (lambda *counts: samples(*counts)[1], "the second number alone"),
        (lambda g, s, t, r: (g, s), "work out what one sample costs"),
    ],
)
