"""Rollouts label each step with the share of continuations that end right."""

import pytest

from minrm.errors import InputError
from minrm.sampling import sample
from minrm.sources import rollouts
from minrm.sources.rollouts import hard_labels, rollout_labels
from minrm.text import final_answer, join_steps, labels_until_first_error, split_steps
from minrm.world import generate
from minrm.world.policy import build_tokenizer, new_policy

QUESTION = "Tom has 9 pens. Tom buys 5 pens. Tom loses 4 pens. How many pens does Tom have now?"
SOLUTION = "Step: 1: 9 + 5 = 14\nStep: 2: 14 - 4 = 10\n\n# Answer\n\n10"
SLIPPED = "Step: 1: 9 + 5 = 13\nStep: 2: 13 - 4 = 9\n\n# Answer\n\n9"
RIGHT, WRONG, NO_ANSWER = "\nStep: 2: 14 - 4 = 10\n\n# Answer\n\n10", "\n\n# Answer\n\n14", "\nStep: 2: 14"


@pytest.fixture
def asked(monkeypatch):
    """A policy that ends a start as `endings` says; returns (endings, the calls that were made)."""
    endings, calls = {}, []

    def stub(model, prompts, n, *, prompt, **options):
        calls.append((list(prompts), n, prompt, options))
        return [{"question": text, "solution": endings.get(text, RIGHT)[i]} for text in prompts for i in range(n)]

    monkeypatch.setattr(rollouts, "sample", stub)
    return endings, calls


def start(solution, steps, question=QUESTION):
    return f"{question}\n{join_steps(split_steps(solution)[:steps])}"


def test_a_label_is_the_share_of_rollouts_that_end_right(asked):
    endings, calls = asked
    endings[start(SOLUTION, 1)] = [RIGHT, WRONG, RIGHT, NO_ANSWER]
    endings[start(SLIPPED, 1)] = [WRONG, WRONG, RIGHT, NO_ANSWER]
    labels = rollout_labels("policy", [QUESTION] * 2, [SOLUTION, SLIPPED], ["10", "10"], 4, seed=7)
    assert labels == [[0.5, 1.0], [0.25, 0.0]]
    assert labels_until_first_error(labels[1]) == [0.25, None]
    prompts = [f"{QUESTION}\nStep: 1: 9 + 5 = 14", f"{QUESTION}\nStep: 1: 9 + 5 = 13"]
    assert calls == [(prompts, 4, "{question}", {"seed": 7})]


def test_any_right_rollout_makes_a_hard_label_good():
    assert hard_labels([[0.5, 0.125, 0.0], [1.0]]) == [[1, 1, 0], [1]]


def test_answers_are_compared_as_answers_and_never_read_in_the_question(asked):
    endings, _ = asked
    endings[start(SOLUTION, 1)] = ["\n\n# Answer\n\n10.0", "\n\n#### 10"]
    assert rollout_labels("policy", [QUESTION], [SOLUTION], ["10"], 2) == [[1.0, 1.0]]
    question = "The answer is 10. How many pens does Tom have now?"
    endings[start(SOLUTION, 1, question)] = [NO_ANSWER]
    assert rollout_labels("policy", [question], [SOLUTION], ["10"], 1) == [[0.0, 1.0]]


def test_solutions_that_begin_alike_share_their_rollouts_but_not_their_truth(asked):
    endings, calls = asked
    endings[start(SOLUTION, 1)] = [RIGHT, RIGHT, WRONG]
    other = SOLUTION.replace("10", "11")
    assert rollout_labels("policy", [QUESTION] * 2, [SOLUTION, other], ["10", "14"], 3) == [[2 / 3, 1.0], [1 / 3, 0.0]]
    assert len(calls[0][0]) == 1


def test_steps_without_headers_are_steps_and_a_single_step_needs_no_rollout(asked):
    endings, calls = asked
    endings[f"{QUESTION}\nStep: 1: 9 + 5 = 14"] = [WRONG]
    assert rollout_labels("policy", [QUESTION], ["9 + 5 = 14\n14 - 4 = 10\n#### 10"], ["10"], 1) == [[0.0, 1.0]]
    assert rollout_labels("policy", [QUESTION], ["Step: 1: 9 + 5 = 14\n\n# Answer\n\n14"], ["10"]) == [[0.0]]
    assert calls[1][0] == []


def test_a_real_policy_gives_what_sampling_by_hand_gives():
    """The whole way with a tiny language model: the same rollouts, drawn and judged one by one."""
    tokenizer = build_tokenizer()
    model = new_policy(tokenizer, layers=1, width=32).eval()
    options = {"tokenizer": tokenizer, "max_new_tokens": 12, "seed": 3, "batch_size": 5, "progress": False}
    problems = generate(3, seed=1)
    solutions = ["Step: 1: 1 + 1 = 2\nStep: 2: 2 + 1 = 3\nStep: 3: 3 - 1 = 2\n\n# Answer\n\n2"] * 3
    questions, answers = [p.question for p in problems], [p.answer for p in problems]
    labels = rollout_labels(model, questions, solutions, answers, 4, **options)
    assert labels == rollout_labels(model, questions, solutions, answers, 4, **options)
    prompts = [start(solutions[0], count, question) for question in questions for count in (1, 2)]
    rows = sample(model, prompts, 4, prompt="{question}", **options)
    right = [final_answer(row["solution"]) == answers[i // 8] for i, row in enumerate(rows)]
    shares = [sum(right[i : i + 4]) / 4 for i in range(0, 24, 4)]
    assert labels == [[*shares[i : i + 2], float(answers[i // 2] == "2")] for i in (0, 2, 4)]


def test_bad_input_is_one_clear_error():
    with pytest.raises(InputError, match="1 questions, 2 solutions, 1 answers; expected lists"):
        rollout_labels("policy", [QUESTION], [SOLUTION] * 2, ["10"])
    with pytest.raises(InputError, match="a single text; expected lists"):
        rollout_labels("policy", [QUESTION], SOLUTION, ["10"])
    with pytest.raises(InputError, match="row 2: the solution is empty"):
        rollout_labels("policy", [QUESTION] * 2, [SOLUTION, " "], ["10"] * 2)
    with pytest.raises(InputError, match="n is 0"):
        rollout_labels("policy", [], [], [], 0)
