"""TRL's layouts: hard and soft labels; preferences as texts and conversations; rows that do not fit."""

import pytest
from real import real
from tiny import sentencepiece_like, word_level

from minrm.errors import InputError
from minrm.published.tiny import LLAMA_CHAT, llama_tokenizer, qwen_tokenizer
from minrm.reward_model import encode
from minrm.sources import hh_rlhf, trl_preference, trl_stepwise

STEPWISE = {"prompt": "How many?", "completions": ["Step 1: Two and three.", "So 5."], "labels": [True, False]}


def test_trl_rows_keep_hard_and_soft_labels(written):
    (row,) = trl_stepwise(written(STEPWISE))
    assert row == {"question": "How many?", "steps": ["Two and three.", "So 5."], "labels": [1, 0]}
    assert {type(label) for label in row["labels"]} == {int}
    blank = STEPWISE | {"completions": ["Step 1: ", "So 5."]}
    soft = trl_stepwise(written(STEPWISE, STEPWISE | {"labels": [0.25, None]}, blank))
    assert [row["labels"] for row in soft] == [[1, 0], [0.25, None]]  # a trainer that casts to int would say 0
    assert soft.info.description.endswith("2 of 3 rows used, 2 process rows; 1 dropped: a step without text")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": [True]}, r"2 steps but 1 labels; each needs one"),
        ({"labels": ["+", "-"]}, r"the label of step 1 is '\+'; it should be 1 \(good\), 0 \(bad\)"),
        ({"labels": None}, "the field 'labels' is a NoneType, not a list"),
        ({"prompt": [{"role": "user", "content": "?"}]}, "the field 'prompt' is a list, not a str"),
        ({"completions": ["Two", 3]}, "step 2 is 3; it should be a text"),
    ],
)
def test_a_trl_row_that_does_not_fit_is_refused(written, change, message):
    with pytest.raises(InputError, match=rf"rows\.jsonl, row 2: {message}"):
        trl_stepwise(written(STEPWISE, STEPWISE | change))


def says(*turns):
    """Messages: user and assistant in turn, or as (role, content)."""
    return [
        {"role": ("user", "assistant")[i % 2], "content": turn}
        if isinstance(turn, str)
        else dict(zip(("role", "content"), turn, strict=True))
        for i, turn in enumerate(turns)
    ]


SKY, BLUE, GREEN = "What color is the sky?", "It is blue.", "It is green."
LAYOUTS = {  # of TRL's page on dataset formats, and UltraFeedback's
    "texts": {"prompt": "The sky is", "chosen": " blue.", "rejected": " green."},
    "texts, implicit prompt": {"chosen": "The sky is blue.", "rejected": "The sky is green."},
    "texts that repeat the prompt": {
        "prompt": "The sky is", "chosen": "The sky is blue.", "rejected": "The sky is green."
    },
    "conversations": {"prompt": says(SKY), "chosen": says(SKY, BLUE)[1:], "rejected": says(SKY, GREEN)[1:]},
    "conversations, implicit prompt": {"chosen": says(SKY, BLUE), "rejected": says(SKY, GREEN)},
    "UltraFeedback": {"prompt": SKY, "chosen": says(SKY, BLUE), "rejected": says(SKY, GREEN), "score_chosen": 8.0},
    "a text and messages": {"prompt": SKY, "chosen": says(SKY, BLUE)[1:], "rejected": says(SKY, GREEN)[1:]},
    "messages and texts": {"prompt": says(SKY), "chosen": BLUE, "rejected": GREEN},
    "parts": {"prompt": SKY, "chosen": says(("assistant", [{"type": "text", "text": BLUE}])), "rejected": GREEN},
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_of_preferences_becomes_a_pair(layout, written):
    (row,) = trl_preference(written(LAYOUTS[layout]))
    text = layout.startswith("texts")
    expected = ("The sky is", "blue.", "green.") if text else (SKY, BLUE, GREEN)
    assert tuple(row.values()) == expected and list(row) == ["prompt", "chosen", "rejected"]


def test_longer_conversations_are_a_transcript(written):
    talk = [("system", "Be kind."), ("user", "Hi"), ("assistant", "Hello!"), ("tool", "4"), ("user", "Bye")]
    sides = {"chosen": says(*talk, ("assistant", "See you")), "rejected": says(*talk, ("assistant", "No"))}
    expected = "System: Be kind.\n\nUser: Hi\n\nAssistant: Hello!\n\nTool: 4\n\nUser: Bye\n\nAssistant:"
    for change in ({}, {"prompt": says(*talk)}, {"prompt": "Hi"}):
        (row,) = trl_preference(written(sides | change))
        assert row == {"prompt": expected, "chosen": "See you", "rejected": "No"}
    first = {"prompt": says("Hi"), "chosen": says(("system", "Be kind."), ("assistant", "See you")), "rejected": "No"}
    assert list(trl_preference(written(first | {"rejected": says(("system", "Be kind."), ("assistant", "No"))}))) == [
        {"prompt": "System: Be kind.\n\nUser: Hi\n\nAssistant:", "chosen": "See you", "rejected": "No"}
    ]


@pytest.mark.parametrize("make", [llama_tokenizer, qwen_tokenizer])
def test_with_a_tokenizer_the_ids_are_those_of_its_chat_template(make, written, tmp_path):
    tokenizer = make()
    tokenizer.pad_token = tokenizer.eos_token
    tokenizer.chat_template += "{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    for source in (tokenizer, str(tmp_path / "tokenizer")):
        (row,) = trl_preference(written(LAYOUTS["UltraFeedback"]), tokenizer=source)
        ((ids, _),) = encode(tokenizer, [row["prompt"]], [row["chosen"]])
        whole = tokenizer.apply_chat_template(says(SKY), tokenize=False, add_generation_prompt=True) + BLUE
        assert tokenizer.decode(ids) == whole


def test_a_tokenizer_without_a_template_or_one_that_leaves_messages_out_is_noticed(written):
    with pytest.raises(InputError, match="no chat template"):
        trl_preference(written(LAYOUTS["conversations"]), tokenizer=word_level())
    system = {
        name: says(("system", "Be kind."), ("user", SKY), ("assistant", said))
        for name, said in (("chosen", BLUE), ("rejected", GREEN))
    }
    tokenizer = sentencepiece_like()
    for template in ("{{ messages[1].content }}", "{{ raise_exception('no system') }}", "{{ messages[7].content }}"):
        tokenizer.chat_template = template
        with pytest.raises(InputError, match="1 dropped: a message that is no text, or that the chat template refuses"):
            trl_preference(written(system), tokenizer=tokenizer)
    tokenizer.chat_template = LLAMA_CHAT
    assert trl_preference(written(system), tokenizer=tokenizer)


DROPPED = [
    ({"rejected": says(SKY, BLUE)}, "chosen equals rejected"),
    ({"rejected": says(SKY, BLUE + " ")}, "chosen equals rejected"),
    ({"rejected": says(SKY, "")}, "an empty response"),
    ({"rejected": says(SKY, ("assistant", None))}, "an empty response"),
    ({"rejected": []}, "an empty conversation"),
    ({"rejected": says("Why?", GREEN)}, "the conversations part before the last message"),
    ({"rejected": says(SKY, GREEN, "Thanks")}, "the conversations part before the last message"),
    ({"chosen": says(SKY, BLUE, "Hm"), "rejected": says(SKY, BLUE, "No")}, "a response that is not the assistant's"),
    ({"chosen": says(SKY, BLUE)[1:], "rejected": says(SKY, GREEN)[1:]}, "no common prompt"),
    ({"chosen": "Blue.", "rejected": "Green."}, "no common prompt"),
    ({"chosen": "It is", "rejected": "It is"}, "chosen equals rejected"),
    ({"prompt": "It", "chosen": "It ", "rejected": "It is"}, "an empty response"),
    ({"rejected": says(SKY, ("assistant", [{"type": "image"}]))}, "a message that is no text"),
    ({"chosen": says(("user", None), BLUE), "rejected": says(("user", None), GREEN)}, "a message that is no text"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "cause"), DROPPED)
def test_what_makes_no_pair_is_dropped_and_counted(change, cause, written):
    whole = LAYOUTS["conversations, implicit prompt"]
    rows = trl_preference(written(whole, whole | change))
    assert list(rows) == [{"prompt": SKY, "chosen": BLUE, "rejected": GREEN}]
    assert f"1 of 2 rows used, 1 pair rows; 1 dropped: {cause}" in rows.info.description


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"chosen": None}, "the field 'chosen' is a NoneType, not a "),
        ({"chosen": ["hello"]}, "a str; it should be an object with a field 'role'"),
        ({"rejected": [{"content": "a"}]}, "the field 'role' is missing"),
        ({"prompt": 3}, "the field 'prompt' is a int, not a list"),
    ],
)
def test_a_pair_in_another_layout_is_refused_by_row(change, message, written):
    whole = LAYOUTS["conversations, implicit prompt"]
    with pytest.raises(InputError, match=rf"rows\.jsonl, row 2.*: {message}"):
        trl_preference(written(whole, whole | change))


def test_dialogues_as_texts_are_cut_as_hh_rlhf_is():
    path = real("hh_rlhf_harmless.jsonl")
    ours, theirs = ({tuple(row.values()) for row in read(path)} for read in (trl_preference, hh_rlhf))
    assert ours == theirs and len(ours) > 1400
