"""Each recipe gives what the publisher's own steps give, written out here: plain transformers calls, one at a time."""

from functools import partial

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file

from minrm.errors import InputError
from minrm.loading import quiet
from minrm.published import load_published
from minrm.published.formats import FORMATS, MODELS, token_id
from minrm.published.tiny import byte_level, qwen_tokenizer, write_tiny_checkpoint

QUESTION = "Tom has 9 pens. That is 3 more than Mia has. Mia buys 5 pens. How many pens does Mia have now?"
SOLUTIONS = [
    ["Mia has 3 fewer: 9 - 3 = 6.", "6 + 5 = 11.", "The answer is: 11"],
    ["9 + 5 = 14"],
    ["- first, 9 - 3.", "That is 6 +", "5, so $x = 11$", "x.", "# Answer: 11"],
]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {family: write_tiny_checkpoint(family, tmp_path_factory.mktemp(family), seed=3) for family in FORMATS}


def stock(auto_class, folder):
    with quiet():
        return transformers.PreTrainedTokenizerFast.from_pretrained(folder), auto_class.from_pretrained(folder).eval()


def math_shepherd(folder, question, steps):
    tokenizer, model = stock(transformers.AutoModelForCausalLM, folder)
    good, bad = tokenizer.encode("+ -")[1:]
    tag = tokenizer.encode("ки")[-1]
    output = "\n".join(f"Step {i + 1}: {step} ки" for i, step in enumerate(steps))
    ids = torch.tensor([tokenizer.encode(f"{question} {output}")])
    p = model(ids).logits[0][:, [good, bad]].softmax(dim=-1)[:, 0]
    return p[ids[0] == tag].tolist()


def rlhflow(folder, question, steps):
    tokenizer, model = stock(transformers.AutoModelForCausalLM, folder)
    signs = [tokenizer.encode("+")[-1], tokenizer.encode("-")[-1]]
    chat, scores = [], []
    for k, step in enumerate(steps):
        chat.append({"role": "user", "content": question + " " + step if k == 0 else step})
        chat.append({"role": "assistant", "content": "+"})
        ids = tokenizer.apply_chat_template(chat, return_tensors="pt", return_dict=True)["input_ids"]
        scores.append(model(ids).logits[0, -3, signs].softmax(dim=-1)[0].item())  # -2 is the "+", -1 the end of turn
    return scores


def qwen_math_prm(folder, question, steps):
    tokenizer, backbone = stock(transformers.Qwen2Model, folder)
    system = "Please reason step by step, and put your final answer within \\boxed{}."
    solution = "<extra_0>".join(steps) + "<extra_0>"
    roles = {"system": system, "user": question, "assistant": solution}
    chat = [{"role": role, "content": content} for role, content in roles.items()]
    ids = tokenizer.encode(tokenizer.apply_chat_template(chat, tokenize=False), return_tensors="pt")
    w = load_file(folder / "model.safetensors")
    hidden = (backbone(ids).last_hidden_state[0] @ w["score.0.weight"].T + w["score.0.bias"]).relu()
    p = (hidden @ w["score.2.weight"].T + w["score.2.bias"]).softmax(dim=-1)
    return p[ids[0] == tokenizer.encode("<extra_0>")[0], 1].tolist()


def skywork_o1_prm(folder, question, steps):
    tokenizer, model = stock(transformers.Qwen2ForCausalLM, folder)
    end = tokenizer.encode("\n")[-1]
    ids, flags = tokenizer.encode(tokenizer.bos_token + question + "\n"), []
    for line in "\n".join(steps).split("\n"):
        ids = ids + tokenizer.encode(line) + [end]
        flags.append(len(ids) - 1)
    hidden = model(torch.tensor([ids]), output_hidden_states=True).hidden_states[-1][0]
    w = torch.load(folder / "pytorch_model.bin", weights_only=True)
    return (hidden @ w["v_head.summary.weight"].T + w["v_head.summary.bias"]).sigmoid()[flags, 0].tolist()


def trl(folder, question, steps, separator="\n"):
    tokenizer, model = stock(transformers.AutoModelForTokenClassification, folder)
    scores = []
    for k in range(len(steps)):
        text = separator.join((question, *steps[: k + 1])) + separator
        scores.append(model(**tokenizer(text, return_tensors="pt")).logits[0, -1].softmax(dim=-1)[1].item())
    return scores


def skywork_reward_v2(folder, prompt, response):
    tokenizer, model = stock(transformers.AutoModelForSequenceClassification, folder)
    chat = [{"role": "user", "content": prompt}, {"role": "assistant", "content": "\n".join(response)}]
    text = tokenizer.apply_chat_template(chat, tokenize=False)
    if tokenizer.bos_token and text.startswith(tokenizer.bos_token):
        text = text[len(tokenizer.bos_token) :]
    return [model(**tokenizer(text, return_tensors="pt")).logits[0][0].item()]


CARDS = {
    "math-shepherd": math_shepherd, "rlhflow": rlhflow, "qwen-math-prm": qwen_math_prm, "trl": trl,
    "skywork-o1-prm": skywork_o1_prm, "trl-paragraphs": partial(trl, separator="\n\n"),
    "skywork-reward-v2": skywork_reward_v2,
}  # fmt: skip


def test_every_family_has_a_card_here_and_every_model_a_family():
    assert CARDS.keys() == FORMATS.keys() == {family for family, _ in MODELS.values()}


@pytest.mark.parametrize(("side", "budget"), [("left", 16384), ("right", 16384), ("right", 200)])
@pytest.mark.parametrize("family", CARDS)
def test_padded_batches_of_any_size_give_what_the_card_gives_one_by_one(folders, family, side, budget):
    model = load_published(folders[family], like=family, device="cpu")
    model.tokenizer.padding_side = side
    rows = list(zip([QUESTION, "How many pens?", QUESTION], SOLUTIONS, strict=True))
    read = model.score if FORMATS[family].reward else model.step_scores
    scores = [np.atleast_1d(score) for score in read(*zip(*rows, strict=True), batch_tokens=budget)]
    with torch.inference_mode():
        cards = [CARDS[family](folders[family], *row) for row in rows]
    for ours, card in zip(scores, cards, strict=True):
        assert ours == pytest.approx(card, abs=1e-5)
    assert abs(cards[0][0] - cards[2][0]) > 1e-3  # the tiny models tell texts apart at all


def encode(family, question=QUESTION, steps=("9 - 3 = 6",), tokenizer=None):
    return FORMATS[family].encode(tokenizer or qwen_tokenizer(), question, list(steps))


def test_a_tag_that_splits_is_refused():
    plain = byte_level(["<|im_start|>"], "")
    with pytest.raises(InputError, match="'ки' must be one known token, not .*take the tokenizer published"):
        encode("math-shepherd")
    with pytest.raises(InputError, match="<extra_0>"):
        plain.chat_template = qwen_tokenizer().chat_template
        encode("qwen-math-prm", tokenizer=plain)
    with pytest.raises(InputError, match="one known token"):
        token_id(plain, "+-+-")


TURNS = "{% for m in messages %}{% if m.role %ROLE 'assistant' %}{{ m.content }}{% endif %}{% endfor %}"
TEMPLATES = {
    "no template": None, "refuses": "{{ raise_exception('roles must alternate') }}",
    "no question": TURNS.replace("%ROLE", "=="), "no answer": TURNS.replace("%ROLE", "!="),
}  # fmt: skip


@pytest.mark.parametrize("family", ["rlhflow", "qwen-math-prm", "skywork-reward-v2"])
@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_a_template_without_the_expected_turns_is_refused(family, template):
    tokenizer = qwen_tokenizer()
    tokenizer.chat_template = template
    with pytest.raises(InputError, match="template.*take the tokenizer published"):
        encode(family, tokenizer=tokenizer)


def test_a_template_or_separator_that_merges_what_is_read_with_other_text_is_refused():
    tokenizer, turns = qwen_tokenizer(), "{% for m in messages %}{{ m.role }}:{{ m.content }}.\n\n{% endfor %}"
    tokenizer.chat_template = turns + "{{ messages[1].content }}"
    with pytest.raises(InputError, match="does not answer each user turn with one token"):
        encode("rlhflow", tokenizer=tokenizer)
    with pytest.raises(InputError, match="merges a separator"):
        encode("trl", steps=["9 - 3 = 6", "\n6 + 5 = 11"])


def test_a_line_break_inside_a_step_ends_no_step_where_lines_are_steps():
    tokenizer = qwen_tokenizer()
    tokenizer.bos_token = "<|im_start|>"
    ids, at = encode("skywork-o1-prm", steps=["6 + 5 = 11\n\n# Answer\n\n11"], tokenizer=tokenizer)
    assert at == [len(ids) - 1] and tokenizer.decode(ids).endswith("6 + 5 = 11 # Answer 11\n")
    tokenizer.bos_token = None
    with pytest.raises(InputError, match="no start token"):
        encode("skywork-o1-prm", tokenizer=tokenizer)
