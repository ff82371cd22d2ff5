"""The check of "Search with a budget", against answers that a learner would write, whatever the seed."""

import random

import numpy as np
import pytest
from hints import trial
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import next_beams as reference

from minrm.checks import check_next_beams
from minrm.checks.beam_search import draw_beams
from minrm.using.search import Beam, keep


def by_package(texts, scores, finished, count, width):
    beams = [Beam(place, text, score) for place, (text, score) in enumerate(zip(texts, scores, strict=True))]
    return [beam.tree for beam in keep(beams, count) for _ in range(1 if finished[beam.tree] else width)]


def by_numpy(texts, scores, finished, count, width):
    order = np.argsort(-np.array(scores), kind="stable")
    _, first = np.unique(np.array(texts)[order], return_index=True)
    first = np.sort(first)
    order = np.append(order[first], np.delete(order, first))[:count]
    return np.repeat(order, np.where(np.array(finished)[order], 1, width))


def times(places, finished, width):
    return [place for place in places for _ in range(1 if finished[place] else width)]


def ranked(scores, places=None, sign=-1):
    return sorted(range(len(scores)) if places is None else places, key=lambda place: sign * scores[place])


def open_alone(t, s, f, c, w):
    return times(ranked(s, [place for place in range(len(t)) if not f[place]])[:c], f, w)


def twins(t, s, f, c, w):
    return times(ranked(s)[:c], f, w)


def once(t, s, f, c, w):
    return times(ranked(s, [t.index(text) for text in set(t)])[:c], f, w)


def later(t, s, f, c, w):
    return [len(t) - 1 - place for place in reference(t[::-1], s[::-1], f[::-1], c, w)]


def empties(texts, *rest):
    places = reference(texts, *rest)
    texts.clear()
    return places


AT_THE_EDGES = [
    (twins, "an equal text comes behind all that are different"),
    (once, "where different texts do not fill the `count` places, equal ones do"),
    (later, "the earlier beginning comes first"),
]
WRONG = [
    (lambda t, s, f, c, w: times(ranked(s, sign=1)[:c], f, w), "the highest scores are kept"),
    (lambda t, s, f, c, w: ranked(s)[:c], "stands there `width` times"),
    (lambda t, s, f, c, w: reference(t, s, [False] * len(t), c, w), "keeps its place, and does not"),
    (lambda t, s, f, c, w: [k for k in reference(t, s, f, c, w) if not f[k]], "here it is dropped"),
    (open_alone, "finished solutions compete with the others for the places"),
    (lambda t, s, f, c, w: open_alone(t, s, f, c, w) + [k for k in range(len(t)) if f[k]], "together they have"),
    (lambda t, s, f, c, w: reference(t, s, f, w, c), "the other way round"),
    (lambda t, s, f, c, w: reference(t, s, f, c * w, w), "before they are repeated"),
    (lambda t, s, f, c, w: [s[k] for k in reference(t, s, f, c, w)], "these are the scores"),
    (lambda t, s, f, c, w: [t[k] for k in reference(t, s, f, c, w)], "these are the texts"),
    (lambda t, s, f, c, w: [k + 1 for k in reference(t, s, f, c, w)], "the places begin with 0"),
    (lambda *beams: None, "nothing came back"),
    (lambda t, s, f, c, w: [0], "sort these beginnings by hand"),
    (empties, "changed its arguments"),
    (lambda texts, scores: [], "TypeError"),
]
test_next_beams = trial(check_next_beams, [reference, by_package, by_numpy], WRONG + AT_THE_EDGES)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=50)
def test_three_right_answers_agree_whatever_the_seed(seed):
    for case in draw_beams(random.Random(seed)):
        expected = sorted(reference(*case))
        assert sorted(by_package(*case)) == expected == sorted(by_numpy(*case))
    check_next_beams(reference, seed)


@pytest.mark.parametrize("answer", [wrong for wrong, _ in WRONG])
@given(seed=st.integers(0, 2**32))
@settings(max_examples=10)
def test_a_wrong_one_fails_whatever_the_seed_also_without_the_edges(answer, seed):
    with pytest.raises(AssertionError):
        check_next_beams(answer, seed, edges=False)


@pytest.mark.parametrize("answer", [wrong for wrong, _ in AT_THE_EDGES])
@given(seed=st.integers(0, 2**32))
@settings(max_examples=10)
def test_what_is_wrong_at_the_edges_alone_passes_without_them_and_fails_with_them(answer, seed):
    check_next_beams(answer, seed, edges=False)
    with pytest.raises(AssertionError):
        check_next_beams(answer, seed)
