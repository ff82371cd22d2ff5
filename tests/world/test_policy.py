import pytest
from hypothesis import given
from hypothesis import strategies as st

from minrm.text import STEP_TOKEN
from minrm.world import LIMIT
from minrm.world.policy import DIRECT, build_tokenizer, corpus
from minrm.world.problems import FAR_NAMES

TOKENIZER = build_tokenizer()


@given(st.text())
def test_any_text_decodes_to_itself(text):
    assert TOKENIZER.decode(TOKENIZER(text)["input_ids"]) == text


def test_the_corpus_decodes_to_itself_and_is_spelt_nowhere():
    for text in map("".join, corpus(100, seed=1)):
        ids = TOKENIZER(text)["input_ids"]
        assert TOKENIZER.decode(ids) == text
        assert all(len(word) > 1 or word in "\n.?:0123456789" for word in TOKENIZER.convert_ids_to_tokens(ids))


def test_numbers_and_headers_are_single_tokens_and_the_step_token_is_not():
    for number in range(LIMIT + 1):
        assert len(TOKENIZER(f" {number}")["input_ids"]) == len(TOKENIZER(str(number))["input_ids"]) == 1
    pieces = ["Step: 3:", " 4", " +", " 5", " =", " 9", "\n\n", "# Answer\n\n", "9"]
    assert TOKENIZER.tokenize("".join(pieces)) == pieces
    assert STEP_TOKEN not in TOKENIZER.get_vocab() and len(TOKENIZER(STEP_TOKEN)["input_ids"]) > 1


def test_the_corpus_is_the_same_every_time_and_bare_answers_come_only_where_they_are_asked_for():
    texts = list(corpus(400, seed=2))
    assert texts == list(corpus(400, seed=2)) != list(corpus(400, seed=3))
    direct = [text for prompt, text in texts if prompt.endswith("# Answer\n\n")]
    assert all(text.isdigit() for text in direct) and len(direct) / 400 == pytest.approx(DIRECT, abs=0.05)
    assert all(text.startswith("Step: 1: ") for prompt, text in texts if not prompt.endswith("# Answer\n\n"))
    assert sum(name in prompt for prompt, _ in texts for name in FAR_NAMES) > 0
