"""Steps, answer blocks and the step token: what is written comes back, and nothing that a model writes breaks it."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from real import raw, real

from minrm.errors import InputError
from minrm.text import (
    STEP_TOKEN,
    cut_steps,
    final_answer,
    join_steps,
    labels_until_first_error,
    split_steps,
    with_step_tokens,
)

STEPS = ["Mia has 3 fewer: 9 - 3 = 6", "6 + 5 = 11\n\n# Answer\n\n11"]
SOLUTION = "Step: 1: Mia has 3 fewer: 9 - 3 = 6\nStep: 2: 6 + 5 = 11\n\n# Answer\n\n11"


def test_a_solution_in_the_articles_format_is_written_and_read():
    assert join_steps(STEPS) == SOLUTION
    assert split_steps(SOLUTION) == STEPS


def test_step_tokens_end_each_step_and_the_answer_block_stands_before_the_last():
    text = with_step_tokens(STEPS)
    assert text.count(STEP_TOKEN) == 2
    assert text.split("\n")[0] == f"Step: 1: Mia has 3 fewer: 9 - 3 = 6{STEP_TOKEN}"
    assert text.endswith(f"# Answer\n\n11{STEP_TOKEN}")
    assert text.replace(STEP_TOKEN, "") == SOLUTION


@given(st.lists(st.text().filter(lambda step: "\nStep:" not in step)))
@example(["a\n", "\nb", ""])
@example(["Step: 2: a header inside a line is text"])
@example(["1\r2", "3\x0b4", "\u2028"])
def test_splitting_undoes_joining(steps):
    assert split_steps(join_steps(steps)) == steps


@given(st.text(alphabet="Step: 12\nA#nswer"))
def test_splitting_any_text_gives_steps_that_hold_what_the_text_held(text):
    steps = split_steps(text)
    kept = "".join("".join(steps).split())
    assert "\nStep: 1: " not in kept
    letters = iter("".join(text.split()))
    assert all(letter in letters for letter in kept)  # a subsequence: nothing invented, nothing reordered


@pytest.mark.parametrize(
    ("solution", "steps"),
    [
        ("He has 2.\n\nShe has 3.\n#### 5", ["He has 2.", "She has 3.\n#### 5"]),
        ("He has 2.\nShe has 3.\nA: 5\n", ["He has 2.", "She has 3.\nA: 5"]),
        ("He has 2.\nShe has 3.\n\n# Answer\n\n5", ["He has 2.", "She has 3.\n\n# Answer\n\n5"]),
        ("A: she is right\nShe has 3.", ["A: she is right", "She has 3."]),  # an "A:" line before the end is a step
        ("#### 5", ["#### 5"]),
        ("Only this", ["Only this"]),
        ("First I think.\nStep: 1: 2 + 3 = 5", ["First I think.", "2 + 3 = 5"]),
        ("", []),
        ("\n \n", []),
    ],
)
def test_other_ways_to_write_steps(solution, steps):
    assert split_steps(solution) == steps


@pytest.mark.parametrize(
    ("solution", "answer"),
    [
        (SOLUTION, "11"),
        (with_step_tokens(STEPS), "11"),
        ("Step: 1: so it is 4\nStep: 2: # Answer\n\n(x - 2y^2)/y", "(x - 2y^2)/y"),
        ("# Answer\n\n17\nStep: 4: and so on", "17"),
        ("# Answer\n\n\\begin{cases}\n1 \\\\\n2\n\\end{cases}\nmore", "\\begin{cases}\n1 \\\\\n2\n\\end{cases}"),
        ("### Final Answer: 12", "12"),
        ("It is 24.\n#### 1,200", "1,200"),
        ("So 3 * 6 = 18\nA: 18", "18"),
        ("A: she eats 3.\nThe answer is 18.", "18"),
        ("The answer is $18. That is a lot.", "$18"),
        ("The answer is 11. No: the answer is 18.", "18"),
        ("The answer is 18. I hope that the answer is right.", "18"),
        ("so \\boxed{\\frac{1}{2}}.", "\\frac{1}{2}"),
        ("so \\boxed{\\{1, \\sqrt{2}\\}}", "\\{1, \\sqrt{2}\\}"),
        ("so $\\boxed 7$.", "7"),
        ("first \\boxed{1}, then \\boxed{2}", "2"),
        ("\\boxed{1}\n\n# Answer\n\n2", "2"),
        ("# Answer\n\n$\\boxed{3}$", "3"),
        ("#### \\boxed{4}", "4"),
        ("# Answer\n\n**18**.", "18"),
        ("# Answer\n\n3\n\n# Answer\n\n4", "4"),
        ("The sum is 24 #### 24", None),  # no line of its own
        ("##### 24", None),
        ("so \\boxed{12", None),  # cut off inside the answer
        ("so <answer>12", None),
        ("Step: 1: 2 + 3 = 5\n\n# Answer\n\n", None),
        ("# Answer\n\nStep: 3: not yet", None),
        ("#### ", None),
        ("Then 32768 feet * 2 =", None),
        ("The answer is not yet clear", None),
        ("", None),
    ],
)
def test_final_answers_of_every_known_form(solution, answer):
    assert final_answer(solution) == answer


FORMS = [
    "Answer: {}", "**Answer:** {}", "**Answer**\n{}", "**Final Answer: {}**", "Thus, Final Answer: {}", "ANSWER = {}",
    "## Final answer\n\n{}", "The correct answer is {}", "My final answer is: {}",
    "the answer to the question is **{}**",
    "The answer is ${}$", "The final answer is:\n\n$${}$$", "The answer is\n\\[\n{}\n\\]",
    "The answer would be \\({}\\)",
    "<answer> {} </answer>", "\\boxed{{{}}}", "\\fbox{{{}}}", "#### {}", "A: {}", "Step: 2: Answer: {}",
]  # fmt: skip
TAILS = [
    "", ".", ", which is even.", " because he paid twice.", ", since it is odd", ", so 3 are left", " as required.",
    ", and we are done.", "<|im_end|>", "<|eot_id|>", "</s>", ". Good.", ".<|im_end|>\n<|im_start|>user\nAnswer: 5",
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("answer", ["18", "\\frac{1}{2}", "x = 3, y = 5", "(B)", "1.5", "5!"])
def test_usual_forms_are_read_and_what_follows_in_the_sentence_is_left_out(form, answer):
    ends = TAILS if "\n" not in form and form[-1] == "}" else ["", "<|im_end|>"]
    read = {final_answer("So 9 + 9.\n" + form.format(answer) + tail) for tail in ends}
    assert read == {answer}


@pytest.mark.parametrize(
    ("after", "answer"),
    [
        (" The answer stands in \\boxed{}.", "5"),
        (" \\boxed{?}", "5"),
        (" \\boxed{\\text{ }} \\boxed{6", "5"),
        ("\n\n#### Check\n2 + 3 = 5", "5"),
        ("\n\n#### Step 2: look back\nIt fits.", "5"),
        ("\n\n#### 2. Check\nIt fits.", "5"),
        ("\n\n# Answer\n\n", "5"),
        ("\nAnswer: ___", "5"),
        ("\nThe answer is not 6.", "5"),
        ("\nI hope that the answer is right.", "5"),
        ("\n#### 6", "6"),
        ("\n#### yes", "yes"),
        ("\n### Final Answer:\n**6**", "6"),
    ],
)
def test_the_last_mark_that_holds_an_answer_wins(after, answer):
    assert final_answer("So \\boxed{5}." + after) == answer


@pytest.mark.parametrize(
    ("solution", "answer"),
    [
        ("\\boxed{3}, \\boxed{5} and \\boxed{7}", "3, 5, 7"),
        ("either $\\boxed{3}$ or $\\boxed{5}$.", "3, 5"),
        ("\\boxed{3}\\text{ and }\\boxed{5}", "3, 5"),
        ("$x = \\boxed{2}$ and $y = \\boxed{3}$", "x = 2, y = 3"),
        ("\\boxed{3}. So \\boxed{5}", "5"),
        ("\\boxed{3}\n\n\\boxed{5}", "5"),
        ("\\boxed{\\boxed{5}}", "5"),
        ("\\boxed{\\begin{pmatrix}1\\\\{2}\\end{pmatrix}}", "\\begin{pmatrix}1\\\\{2}\\end{pmatrix}"),
        ("\\boxed{\\{1\\}}", "\\{1\\}"),
    ],
)
def test_boxes_side_by_side_are_one_answer(solution, answer):
    assert final_answer(solution) == answer


@pytest.mark.parametrize(
    "text",
    ["\\boxed{" * 9000, "Answer:" * 9000, "the answer is " * 9000, "#### a\n" * 9000, "{" * 90000, "Answer: **" * 9000],
)
def test_hostile_solutions_take_no_longer_than_others(text):
    started = time.process_time()
    final_answer(text)
    assert time.process_time() - started < 1


@given(st.text() | st.text(alphabet="\\boxed{}# Answer:1\n$*."))
def test_final_answer_never_raises_and_is_never_blank(text):
    answer = final_answer(text)
    assert answer is None or answer.strip() == answer != ""


@given(st.lists(st.text(alphabet="abc 123=+"), max_size=4), st.integers(-999, 999))
def test_the_answer_block_is_found_whatever_the_steps_are(steps, answer):
    assert final_answer(join_steps([*steps, f"so\n\n# Answer\n\n{answer}"])) == str(answer)


@pytest.mark.parametrize(
    ("labels", "until"),
    [
        ([1, 0, 1, 0], [1, 0, None, None]),
        ([1, None, 0, 1], [1, None, 0, None]),
        ([1, 1], [1, 1]),
        ([0.9, 0.5, 0.2, 0.9], [0.9, 0.5, 0.2, None]),
        ([], []),
    ],
)
def test_labels_stop_at_the_first_bad_step(labels, until):
    assert labels_until_first_error(labels) == until


CUTS = ("headers", "lines", "paragraphs", "sentences")
FREE = r"""We follow Mr. Lee's plan, e.g. with x = 3.5. Then we go on!

1. **Cost**: each costs $3.50. So
   \[
   2 \times 3.5 = 7. Then
   \]

2. **Add**: approx. 7 dollars. "That is all." Is it?

The answer is \boxed{7}."""
FORMULA = "\\[\n   2 \\times 3.5 = 7. Then\n   \\]"


@pytest.mark.parametrize(
    ("at", "steps"),
    [
        ("headers", ["We follow", "**Cost**", "**Add**"]),
        ("paragraphs", ["We follow", "1. **Cost**", "2. **Add**", "The answer"]),
        ("lines", ["We follow", "1. **Cost**", FORMULA, "2. **Add**", "The answer"]),
        (
            "sentences",
            [
                "We follow",
                "Then we go on!",
                "1. **Cost**",
                "So",
                FORMULA,
                "2. **Add**",
                '"That is all."',
                "Is it?",
                "The",
            ],
        ),
    ],
)
def test_free_text_is_cut_at_marks_but_not_inside_formulas_numbers_and_abbreviations(at, steps):
    found = cut_steps(FREE, at)
    assert len(found) == len(steps) and all(step.startswith(start) for step, start in zip(found, steps, strict=True))


@pytest.mark.parametrize(
    ("text", "at", "steps"),
    [
        ("### Step 1: Find\na = 3\n\n**Step 2:** b = 4\n\nStep 3\nc", "headers", ["Find\na = 3", "b = 4", "c"]),
        ("First.\nStep 1: a\nin Step 1: b", "headers", ["First.", "a\nin Step 1: b"]),
        ("no header\nhere", "headers", ["no header\nhere"]),
        ("a = 3.\n\n# Answer\n\n4", "paragraphs", ["a = 3.\n\n# Answer\n\n4"]),
        ("He has 2. She has 3.\n#### 5", "sentences", ["He has 2.", "She has 3.\n#### 5"]),
        (
            "He has M&Ms. She has 3.\nThat is approx. 3",
            "sentences",
            ["He has M&Ms.", "She has 3.", "That is approx. 3"],
        ),
        ("so 5 ft. long. **Done.** Yes", "sentences", ["so 5 ft. long.", "**Done.**", "Yes"]),
        ("2加3等于5。然后乘以2。答案是10。", "sentences", ["2加3等于5。", "然后乘以2。", "答案是10。"]),
        ("Step: 1: 2 + 3 = 5\nStep: 2: 5 + 1 = 6", "paragraphs", ["2 + 3 = 5\n5 + 1 = 6"]),
        ("```\na = 1\n\nb = 2\n```\n\nDone", "paragraphs", ["```\na = 1\n\nb = 2\n```", "Done"]),
        ("a\r\n\r\nb", "paragraphs", ["a", "b"]),
        ("", "lines", []),
        ("\n\n", "sentences", []),
    ],
)
def test_each_cut(text, at, steps):
    assert cut_steps(text, at) == steps


@given(st.text(alphabet="Step: 12.\nA#nswer*$\\[]`!a") | st.text(), st.sampled_from(CUTS))
@example("Step: 1: Step: 2: a\nStep: 3: Step: 4: b", "paragraphs")
@example("Step: 1:\nStep: 2: a", "paragraphs")
def test_cut_steps_are_a_solution_that_is_split_as_it_was_cut_and_nothing_is_invented(text, at):
    steps = cut_steps(text, at)
    assert split_steps(join_steps(steps)) == steps and all(step == step.strip() != "" for step in steps)
    letters = iter("".join(text.split()))
    assert all(letter in letters for letter in "".join("".join(steps).split()))  # in their order
    if at in ("lines", "sentences") and "Step:" not in text:
        assert "".join("".join(steps).split()) == "".join(text.split())


def test_text_that_never_closes_a_formula_is_cut_in_linear_time():
    began = time.monotonic()
    for text in ("\\[" * 20_000, "$$a\n" * 20_000, "1. \n" * 20_000, "```" * 20_000):
        cut_steps(text, "sentences")
    assert time.monotonic() - began < 600  # a hang took hours


def test_another_cut_is_refused():
    with pytest.raises(InputError, match="at is 'words'; free text is cut at headers, lines, paragraphs, sentences"):
        cut_steps("a", "words")


def test_gsm8ks_model_solutions_are_cut_at_lines_as_they_are_split():
    """Their steps are lines: cut so they are the steps that every model here reads; sentences are as many or more."""
    for record in raw(real("gsm8k_model_solutions.jsonl")):
        for text in (value["solution"] for value in record.values() if isinstance(value, dict) and "solution" in value):
            lines = cut_steps(text, "lines")
            assert lines == split_steps(text) and len(cut_steps(text, "sentences")) >= len(lines)


def test_sentences_of_prm800ks_steps_are_found_again_where_a_step_is_one():
    """Steps that people rated are mostly single sentences: text joined from such steps falls into them again."""
    whole = again = 0
    for record in raw(real("prm800k_slice.jsonl")):
        steps = [c["text"].strip() for s in record["label"]["steps"] for c in s["completions"][:1]]
        whole += (
            single := all(
                len(cut_steps(step, "sentences")) == 1 and step[-1:] == "." and "# Answer" not in step for step in steps
            )
        )
        again += single and cut_steps("\n".join(steps), "sentences") == steps
    assert whole > 100 and again == whole
