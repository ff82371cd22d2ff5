"""Replies of servers, read: every layout of a choice, what an error says, and how long a busy server wants to rest."""

from email.utils import formatdate
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minrm.cli import replies
from minrm.cli.replies import long_pause, solutions_in, told_by

NOW = 4e9  # in October 2096


def failure(status=503, text="", cause=None, **headers):
    """What the client raises: with a response, or without one where the line dropped."""
    error = Exception("no reply")
    error.__cause__ = cause
    error.response = status and SimpleNamespace(status_code=status, text=text, headers=headers)
    return error


def choice(text, values, chat):
    """A choice as the API's two halves write it."""
    if chat:
        told = values and {"content": [{"token": "x", "logprob": value} for value in values]}
        return {"message": {"role": "assistant", "content": text}, "logprobs": told}
    return {"text": text, "logprobs": values and {"tokens": ["x"] * len(values), "token_logprobs": values}}


@pytest.mark.parametrize("chat", [False, True])
@given(
    found=st.lists(
        st.tuples(st.text(st.characters(exclude_categories=["Cs"])), st.lists(st.floats(-50, 0))), min_size=1
    ),
    wanted=st.integers(1, 8),
)
def test_choices_come_in_order_with_their_likelihoods(chat, found, wanted):
    answer = {"choices": [choice(text, values, chat) for text, values in found]}
    read = solutions_in(answer, wanted)
    assert [text for text, _, _ in read] == [text for text, _ in found][:wanted]
    for (_, value, tokens), (_, values) in zip(read, found, strict=False):
        assert (value, tokens) == ((pytest.approx(sum(values)), len(values)) if values else (None, None))


@pytest.mark.parametrize("chat", [False, True])
def test_a_likelihood_with_a_gap_is_none_and_one_choice_takes_its_length_from_usage(chat):
    one, two = choice("a", [None, -0.5], chat), choice("b", [-0.25, -0.5], chat)
    usage = {"completion_tokens": 7}
    assert solutions_in({"choices": [one], "usage": usage}, 3) == [("a", None, 7)]
    assert solutions_in({"choices": [two], "usage": usage}, 3) == [("b", -0.75, 2)]
    assert solutions_in({"choices": [one, two], "usage": usage}, 3) == [("a", None, None), ("b", -0.75, 2)]


def test_a_text_that_is_none_or_ends_in_half_a_character_can_be_written():
    """A refusal has no content; a token that is cut in the middle of a character leaves half of it."""
    answer = {"choices": [{"message": {"content": None}}, {"text": "a\ud83d"}, {"message": None}]}
    assert [text for text, _, _ in solutions_in(answer, 3)] == ["", "a?", ""]


@pytest.mark.parametrize(
    "answer",
    [{}, {"choices": []}, {"choices": None}, {"choices": ["a"]}, {"choices": "abc"}, {"choices": [{"text": 5}]},
     {"choices": [{"text": "a", "logprobs": {"token_logprobs": ["b"]}}]}, {"choices": {"0": {"text": "a"}}}, []],
)  # fmt: skip
def test_an_answer_without_choices_is_told_apart(answer):
    with pytest.raises(ValueError, match="choices"):
        solutions_in(answer, 3)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"error": {"message": "no\\n such  model"}}', "no such model"),  # OpenAI, vLLM, llama.cpp
        ('{"error": "overloaded"}', "overloaded"),
        ('{"detail": "Not Found"}', "Not Found"),  # FastAPI
        ('{"message": "no"}', "no"),
        ("<html>\nBad gateway</html>", "<html> Bad gateway</html>"),  # a proxy
        ("[1]", "[1]"),
    ],
)
def test_what_a_server_says_is_one_line(text, told):
    assert told_by(failure(502, text)) == f"502: {told}"


def test_of_a_dropped_line_the_cause_is_said():
    assert told_by(failure(None, cause=OSError("Connection\n refused"))) == "Connection refused"
    assert told_by(failure(None)) == "no reply"


@pytest.mark.parametrize("status", [429, 503])
@given(seconds=st.integers(0, 10_000))
def test_a_pause_in_seconds_or_until_a_date_is_the_same(status, seconds):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replies, "time", SimpleNamespace(time=lambda: NOW))
        wanted = seconds if seconds > 60 else 0  # up to a minute the client itself waits
        assert long_pause(failure(status, **{"retry-after": str(seconds)})) == wanted
        assert long_pause(failure(status, **{"retry-after": formatdate(NOW + seconds, usegmt=True)})) == wanted


@pytest.mark.parametrize("asked", ["", "soon", "1.2.3", "-200", "Sun, 99 Sep 2001 01:50:00 GMT", "Sun, 09 Sep 2001"])
def test_a_pause_that_cannot_be_read_is_none(asked):
    assert long_pause(failure(503, **{"retry-after": asked})) == 0


@pytest.mark.parametrize("status", [None, 400, 401, 500])
def test_only_a_busy_server_asks_for_a_pause(status):
    assert long_pause(failure(status, **{"retry-after": "200"})) == 0
