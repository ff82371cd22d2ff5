"""A server's address, key and errors: what travels, what is asked again, what a user reads, and what nobody reads."""

import sys
import time

import pytest
from servers import FakeServer, refuse

from minrm.errors import InputError

JSON = {"Content-Type": "application/json"}
SECRET = "sk-very-secret-9"


@pytest.mark.parametrize("status", [429, 503, "drop"])
def test_a_busy_server_is_asked_again(status, draw):
    def answer(ask, number):
        return (status if status == "drop" else refuse(status, "busy")) if number < 2 else None

    with FakeServer(answer) as fake:
        assert len(draw(fake, 3, batch_size=3, questions=["?"])) == 3
    assert len(fake.seen) == 3 and fake.seen[2]["body"]["n"] == 3


@pytest.mark.parametrize("secret, key, user", [(SECRET, f" {SECRET}\r\n", ""), ("pass-9", "", "somebody:pass-9@")])
def test_key_and_password_travel_but_appear_in_no_message_and_no_file(secret, key, user, draw, monkeypatch, tmp_path):
    monkeypatch.setenv("OPENAI_API_KEY", key)
    for status, message in ((401, "set OPENAI_API_KEY to a key that this server knows"), (400, "mend the question")):
        refusal, expected = refuse(status, f"no {secret} here"), rf"{status} .*no … here.*{message}"
        with FakeServer(lambda *_, it=refusal: it) as fake, pytest.raises(InputError, match=expected) as error:
            draw(fake.url.replace("//", f"//{user}"))
        assert secret not in str(error.value) and "somebody" not in str(error.value)
    if key:
        assert fake.seen[0]["headers"]["Authorization"] == f"Bearer {secret}"
    with FakeServer() as fake:
        draw(fake.url.replace("//", f"//{user}"))
    assert not [file for file in tmp_path.iterdir() if secret in file.read_text()]


@pytest.mark.parametrize("key", [SECRET + "é", f"{SECRET}\nsk-other", f"{SECRET}\x1b"])
def test_a_key_that_no_header_can_carry_is_refused_but_not_quoted(key, draw, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with FakeServer() as fake, pytest.raises(InputError, match="has characters that no key has") as error:
        draw(fake)
    assert "secret" not in str(error.value) and not fake.seen


NO_API = "no solution in .*{}.*; does it speak OpenAI's API"


@pytest.mark.parametrize(
    "answer, message",
    [
        (refuse(404, "Not Found"), "404 .*Not Found.*; check the model's name.* ends in /v1.* add --chat"),
        (refuse(401, "who are you?"), "401 .*who are you.*; set OPENAI_API_KEY to a key that this server knows"),
        (refuse(403, "not to you"), "403 .*not to you.*; set OPENAI_API_KEY"),
        (refuse(400, "prompt too long"), "question 1: .*400 .*prompt too long.*; mend the question"),
        (refuse(429, "busy", Retry_After="7200"), "429 .*busy.*; see the server's log, or lower --concurrent"),
        (refuse(503, "down"), "503 .*down.*; see the server's log"),
        ((200, {"answer": 42}, {}), NO_API.format(42)),
        ((200, {"choices": []}, {}), NO_API.format("")),
        ((200, {"choices": "abc"}, {}), NO_API.format("abc")),
        ((200, {"choices": [{"text": "a", "logprobs": {"token_logprobs": ["b"]}}]}, {}), NO_API.format("")),
        ((200, "<html>Welcome</html>", {}), NO_API.format("Welcome")),
        ((200, '{"choices": [', JSON), NO_API.format("")),
        ((200, "\xff", JSON), NO_API.format("")),
    ],
)
def test_what_went_wrong_is_one_line_with_the_address(answer, message, draw):
    with FakeServer(lambda ask, number: answer) as fake, pytest.raises(InputError, match=message) as error:
        draw(fake, retries=0)
    assert str(error.value).startswith(f"{fake.url}/v1, question 1: ") and "\n" not in str(error.value)


def test_where_nothing_answers_it_is_said_at_once(draw):
    with FakeServer() as fake:
        pass  # the port is free again
    with pytest.raises(InputError, match=r"/v1: .*refused.*; start the server there, mend the address"):
        draw(fake, retries=50)


def test_an_answer_that_does_not_come_in_time_is_said(draw):
    match = "timed out.*; start the server there, .* or ask for fewer or shorter solutions"
    with FakeServer(lambda ask, number: time.sleep(3600)) as fake, pytest.raises(InputError, match=match):
        draw(fake, timeout=0.2, retries=0)


@pytest.mark.parametrize("listing", [refuse(403, "no"), refuse(404, "no list"), (200, '{"da', JSON), (200, [], {})])
def test_a_list_of_models_that_cannot_be_had_stops_nothing(listing, draw):
    with FakeServer(listing=listing) as fake:
        assert len(draw(fake, 1)) == 5


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x/v1", "", "http://", "somebody:pass-9@x"])
def test_an_address_without_a_scheme_is_refused(url, draw):
    with pytest.raises(InputError, match="the endpoint is no address; it must begin with http:// or https://") as error:
        draw(url)
    assert "pass-9" not in str(error.value)


@pytest.mark.parametrize("ending", ["", "/", "/v1", "/v1/"])
def test_an_address_may_end_in_v1_or_not(ending, draw):
    with FakeServer() as fake:
        draw(fake.url + ending, 1)
    assert {ask["path"] for ask in fake.seen} == {"/v1/completions"}


def test_without_the_client_its_name_is_said(draw, monkeypatch):
    monkeypatch.setitem(sys.modules, "openai", None)
    with FakeServer() as fake, pytest.raises(InputError, match="needs the package openai: pip install openai"):
        draw(fake)
