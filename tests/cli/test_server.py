"""What a server may refuse, how often it is asked again, and what a user is told when it does not work."""

import sys
import time

import pytest
from servers import FakeServer, complete, refuse

from minrm.cli.server import Server
from minrm.errors import InputError

JSON = {"Content-Type": "application/json"}
CUT_OFF = 200, '{"choices": [', JSON


def server(fake, model="m", chat=False, retries=3, timeout=20, **asked):
    return Server(fake.url, model, chat, {"temperature": 1, **asked}, {}, retries, timeout)


def solve(fake, count=3, **options):
    return server(fake, **options).solutions("?", count, seed=10)


@pytest.mark.parametrize("chat", [False, True])
def test_several_solutions_come_in_one_request_with_their_likelihoods(chat):
    with FakeServer() as fake:
        found = solve(fake, chat=chat)
    assert len(fake.seen) == 1 and fake.seen[0]["body"]["n"] == 3
    assert [text[-2:] for text, _, _ in found] == ["10", "11", "12"]
    assert all(value == pytest.approx(-0.75) and tokens == 2 for _, value, tokens in found)


@pytest.mark.parametrize("how", ["named", "greedy", "unnamed", "ignored", "as a failure"])
def test_where_n_is_refused_there_is_one_request_a_sample(how):
    """Named in the message (vLLM: `n must be 1 when using greedy sampling`), in none, passed over, or with a 500."""
    messages = {"named": "Unsupported parameter: 'n'", "greedy": "n must be 1 when using greedy sampling, got 3."}

    def answer(ask, number):
        if how == "ignored":
            return complete(ask, n=1)
        if how == "as a failure":  # as llama.cpp does
            return refuse(500, "Only one completion choice is allowed") if ask["body"].get("n", 1) > 1 else None
        return refuse(400, messages.get(how, "\n no, \\n not so")) if ask["body"].get("n", 1) > 1 else None

    with FakeServer(answer) as fake:
        asking = server(fake)
        found = asking.solutions("?", 3, seed=10)
        texts = [text for text, _, _ in found]
        assert [text.split()[-1] for text in texts] == ["10", "11", "12"]  # each with a seed of its own
        before = len(fake.seen)
        assert len(asking.solutions("?", 2, seed=20)) == 2 and len(fake.seen) == before + 2  # not tried again
        assert all("n" not in ask["body"] for ask in fake.seen[before:])
        assert ("logprobs" in fake.seen[-1]["body"]) == (how != "unnamed")  # tried first where it is not said


@pytest.mark.parametrize("status, message", [(400, "logprobs is not supported"), (422, "sorry")])
def test_where_likelihoods_are_refused_they_are_none(status, message):
    with FakeServer(lambda ask, number: refuse(status, message) if "logprobs" in ask["body"] else None) as fake:
        found = solve(fake)
    assert [value for _, value, _ in found] == [None] * 3 and len(fake.seen) == 2
    assert [tokens for _, _, tokens in found] == [None] * 3  # usage counts all three together
    assert fake.seen[1]["body"]["n"] == 3 and fake.seen[1]["body"]["seed"] == 10  # only what was refused is left out


@pytest.mark.parametrize("status", [400, 500])
def test_a_question_that_is_refused_takes_nothing_from_the_others(status):
    """Its refusal names no field, so it is asked again with fewer; another is asked meanwhile and later."""
    asked = []

    def answer(ask, number):
        if ask["body"]["prompt"] == "long":
            if not asked and "logprobs" not in ask["body"] or status == 500:
                asked.append(asking.solutions("?", 3, seed=10))  # while the long one is half stripped
            return refuse(status, "maximum context length is 8 tokens")

    with FakeServer(answer) as fake:
        asking = server(fake, retries=0)
        with pytest.raises(InputError, match="maximum context length"):
            asking.solutions("long", 3, seed=0)
        asked.append(asking.solutions("?", 3, seed=10))
        others = [ask["body"] for ask in fake.seen if ask["body"]["prompt"] == "?"]
    assert len(others) == len(asked) >= 2 and all({"n", "seed", "logprobs"} <= body.keys() for body in others)
    assert all(value == pytest.approx(-0.75) for found in asked for _, value, _ in found)


@pytest.mark.parametrize("status", [408, 429, 500, 503, "drop"])
def test_a_busy_server_is_asked_again_later_and_later(status):
    def answer(ask, number):
        return (status if status == "drop" else refuse(status, "busy")) if number < 2 else None

    with FakeServer(answer) as fake:
        assert len(solve(fake)) == 3
    first, second, third = (ask["at"] for ask in fake.seen)
    assert 0.3 < second - first < 0.9 and 0.7 < third - second < 1.6  # 0.5 s and 1 s, less up to a quarter of jitter


def test_a_server_that_is_busy_for_long_keeps_its_n():
    with FakeServer(lambda ask, number: refuse(503, "loading") if number < 4 else None) as fake:
        assert len(solve(fake)) == 3
    assert [ask["body"]["n"] for ask in fake.seen] == [3] * 5


def test_retry_after_is_honoured():
    with FakeServer(lambda ask, number: refuse(429, "slow down", Retry_After="2") if number == 0 else None) as fake:
        assert len(solve(fake)) == 3
    assert 2 <= fake.seen[1]["at"] - fake.seen[0]["at"] < 3


class Clock:
    """In place of `time`: only sleep moves it, and what was slept is kept."""

    def __init__(self):
        self.now, self.slept = 4e9, []  # in October 2096

    def time(self):
        return self.now

    monotonic = time

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr("minrm.cli.server.time", found)
    monkeypatch.setattr("minrm.cli.replies.time", found)
    return found


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("asked", ["200", "Tue, 02 Oct 2096 07:10:00 GMT"])  # the clock stands at 07:06:40
def test_a_longer_pause_than_the_client_makes_is_made_here_and_told(asked, status, clock, caplog):
    def answer(ask, number):
        return None if clock.slept else refuse(status, "slow down", Retry_After=asked)

    with FakeServer(answer) as fake:
        assert len(solve(fake, retries=1)) == 3
    assert clock.slept == [200] and {ask["body"]["n"] for ask in fake.seen} == {3}
    told = f"{fake.url}/v1: {status}: slow down; it asks for a pause of 200 seconds, then it goes on"
    assert caplog.messages == [told]


def test_a_pause_is_told_once_and_not_by_each_thread(clock, caplog):
    def answer(ask, number):
        return None if len(clock.slept) == 2 else refuse(429, "slow down", Retry_After="200")

    with FakeServer(answer) as fake:
        asking = server(fake, retries=1)
        asking.quiet_until = clock.now + 100  # another thread has told of its own pause
        asking.solutions("?", 3, seed=10)
    assert clock.slept == [200, 200] and len(caplog.messages) == 1


@pytest.mark.parametrize("asked, retries, slept", [(7200, 1, []), (1500, 1, [1500, 1500]), (200, 0, []), (61, 0, [])])
def test_a_pause_that_is_not_made_is_said(asked, retries, slept, clock):
    """It ends more than an hour after the first request, or nothing is to be asked again."""
    refusal = refuse(429, "slow down", Retry_After=str(asked))
    told = f"429: slow down; it asks for a pause of {asked} seconds; call again after that, it goes on"
    with FakeServer(lambda ask, number: refusal) as fake, pytest.raises(InputError, match=told):
        solve(fake, retries=retries)
    assert clock.slept == slept


def test_the_key_travels_in_the_header_and_appears_in_no_message(monkeypatch):
    key = "sk-very-secret-9"
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with FakeServer(lambda ask, number: refuse(401, f"bad key {key}")) as fake:
        with pytest.raises(InputError, match="the key in OPENAI_API_KEY is refused; set the right one") as error:
            solve(fake)
        assert fake.seen[0]["headers"]["Authorization"] == f"Bearer {key}"
    assert key not in str(error.value)
    odd, unknown = refuse(400, f"odd request of {key}"), refuse(401, "who are you?")
    with FakeServer(lambda ask, number: odd) as fake, pytest.raises(InputError, match="odd request of …"):
        solve(fake)
    monkeypatch.delenv("OPENAI_API_KEY")
    wanted = "a key is wanted; set the environment variable OPENAI_API_KEY"
    with FakeServer(lambda ask, number: unknown) as fake, pytest.raises(InputError, match=wanted):
        solve(fake)


def test_a_key_travels_without_the_newline_of_its_file(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", " sk-very-secret-9\r\n")
    with FakeServer() as fake:
        assert len(solve(fake)) == 3
        assert fake.seen[0]["headers"]["Authorization"] == "Bearer sk-very-secret-9"


@pytest.mark.parametrize("key", ["sk-very-secret-é", "sk-very-secret\nsk-other", "sk-very-secret\x1b"])
def test_a_key_that_no_header_can_carry_is_refused_but_not_quoted(key, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", key)
    told = "the key in OPENAI_API_KEY has characters that no key has"
    with FakeServer() as fake, pytest.raises(InputError, match=told) as error:
        solve(fake)
    assert "secret" not in str(error.value) and not fake.seen


@pytest.mark.parametrize(
    "answer, options, told",
    [
        (refuse(404, "no such model"), {"model": "x"}, r"no model 'x' there; it offers m \(404: no such model\)"),
        (refuse(500, "cannot load"), {"model": "x"}, r"no model 'x' there; it offers m \(500: cannot load\)"),
        (None, {"model": ""}, "name a model; it offers m"),
        (refuse(404, "Not Found"), {}, r"nothing at /completions \(404: Not Found\); .* asked with chat \(--chat\)"),
        (refuse(404, "Not Found"), {"chat": True}, "nothing at /chat/completions .*does the address end in /v1"),
        (refuse(400, "prompt too long"), {}, r"refuses the request \(400: prompt too long\); mend the question"),
        (refuse(429, "busy"), {"retries": 0}, "429: busy, also when asked again; call again with fewer requests at a"),
        (refuse(503, "down"), {"retries": 0}, "503: down, also when asked again; see the server's own log"),
        ((200, {"answer": 42}, {}), {}, "an answer without choices that .*42.*; is this an OpenAI-compatible server"),
        ((200, "<html>Welcome</html>", {}), {}, "an answer without choices that can be read, .*Welcome"),
        ((200, {"choices": []}, {}), {}, "an answer without choices that can be read, "),
        ((200, {"choices": ["a"]}, {}), {}, "an answer without choices that can be read, .*'a'"),
        ((200, {"choices": "abc"}, {}), {}, "an answer without choices that can be read, .*abc"),
        ((200, {"choices": [{"text": 5}]}, {}), {}, "an answer without choices that can be read, .*5"),
        ((200, {"choices": [{"text": "a", "logprobs": {"token_logprobs": ["b"]}}]}, {}), {}, "that can be read"),
        (CUT_OFF, {}, r"an answer that is cut off, or no JSON \(.*\); see the server's log, then call again"),
        ((200, "\xff", JSON), {}, "an answer that is cut off, or no JSON"),
    ],
)
def test_what_went_wrong_is_one_line_with_the_address(answer, options, told):
    with FakeServer(lambda ask, number: answer) as fake, pytest.raises(InputError, match=told) as error:
        solve(fake, **options)
    assert str(error.value).startswith(f"{fake.url}/v1: ") and "\n" not in str(error.value)


def test_where_nothing_answers_it_is_said_at_once():
    with FakeServer() as fake:
        pass  # the port is free again
    with pytest.raises(InputError, match=r"/v1: nothing answers \(.*refused.*\); start the server there, or mend"):
        solve(fake, retries=50)


@pytest.mark.parametrize("listing", [refuse(403, "not to you"), refuse(404, "no list"), CUT_OFF, (200, [], {})])
def test_a_list_of_models_that_cannot_be_had_stops_nothing(listing):
    with FakeServer(listing=listing) as fake:
        assert len(solve(fake)) == 3
        with pytest.raises(InputError, match="name a model; it does not say what it offers"):
            server(fake, model="")
    told, refusal = "a key is wanted; set the environment variable OPENAI_API_KEY", refuse(403, "no")
    with FakeServer(lambda ask, number: refusal, listing=listing) as fake, pytest.raises(InputError, match=told):
        solve(fake)


def test_an_answer_that_does_not_come_in_time_is_said():
    told = "no answer within 0.2 seconds; ask for fewer or shorter"
    with FakeServer(lambda ask, number: time.sleep(1)) as fake, pytest.raises(InputError, match=told):
        solve(fake, timeout=0.2, retries=0)


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x/v1", "", "http://"])
def test_an_address_without_a_scheme_is_refused(url):
    fake = type("Fake", (), {"url": url})
    with pytest.raises(InputError, match="is no address; it begins with http:// or https://"):
        solve(fake)


def test_an_address_may_end_in_v1_or_not():
    with FakeServer() as fake:
        for ending in ("", "/", "/v1", "/v1/"):
            asking = Server(fake.url + ending, "m", False, {}, {}, 0, 5)
            assert len(asking.solutions("?", 1, 0)) == 1
    assert {ask["path"] for ask in fake.seen} == {"/v1/completions"}


def test_without_the_client_its_name_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "openai", None)
    with FakeServer() as fake, pytest.raises(InputError, match="takes the package openai: pip install openai"):
        solve(fake)
