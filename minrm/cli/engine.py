"""Scores from an engine that serves a reward model, vLLM or SGLang: the same `score`, computed at an address.

Token ids go out, made here by the folder's own tokenizer, so no tokenizer, template or special token of the server has
a say. Each reply must have a number for each place that we read, from as many tokens as were sent; and scores of some
rows are compared with those of the folder's own weights (`check`), since a server may serve others under any name.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from threading import Lock
from typing import Any

import numpy as np
from transformers import AutoConfig

from minrm import loading
from minrm.bradley_terry import BradleyTerryRewardModel
from minrm.cli.client import Client
from minrm.errors import InputError
from minrm.inference.batches import checked_budget
from minrm.inference.engines import engine_command
from minrm.orm import OutcomeRewardModel
from minrm.prm import ProcessRewardModel, label_ids
from minrm.reward_model import Ids, RewardModel, Texts, score_once
from minrm.text import CORRECT, STEP_TOKEN

# Of a reward x, or log-odds x, half precision changes up to 0.08 (1 + |x|): bfloat16 against float32, 300 solutions by
# the shipped models. Eight solutions of other weights (another seed's) all come closer once in a thousand times.
SLACK = 0.1


class Served(ABC):
    """A reward model behind an address, by the config and tokenizer of its folder. A kind says what it reads."""

    scored_by: str
    task: str  # of vLLM's /pooling
    activation = True
    worst: Any = 0.0
    encode: Any = RewardModel.encode
    as_read: Any = RewardModel.as_read

    def __init__(self, url: str, folder: str, retries: int = 10, timeout: float = 600) -> None:
        self.folder, self.tokenizer = folder, loading.load_tokenizer(folder)
        self.config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        self.client, self.engine, self.lock = Client(url, retries, timeout), "", Lock()
        self.name = next(iter(self.client.models()), None)
        self.remedy = f"start the server with what minrm serve-command {folder} prints"

    @abstractmethod
    def shape(self, ids: Sequence[int]) -> tuple[int, ...]:
        """The shape of what vLLM returns for a text."""

    @abstractmethod
    def read(self, values: np.ndarray) -> Any:
        """The score of a text, or P(+) of each of its steps, from what vLLM returns."""

    def score_each(self, questions: Texts, solutions: Texts) -> list[Any]:
        """The score of each solution, in the order given. They go in one request."""

        def score(questions: Texts, solutions: Texts, numbers: list[int]) -> list[Any]:
            with self.lock:  # a tokenizer serves one thread at a time
                rows = [ids for ids, _ in self.encode(questions, solutions)]
            checked_budget(self, rows, 1, numbers)
            return self.ask(rows, numbers)

        return score_once(questions, solutions, score, self.worst)

    def ask(self, rows: Ids, numbers: Sequence[int]) -> list[Any]:
        """What the server gives for each row of ids; numbers: of the rows, for messages. Raises InputError."""
        try:
            if self.engine != "sglang":
                try:
                    return self._ask_vllm(rows)
                except InputError as error:
                    if _status(error) != 404 or self.engine:
                        raise
            return self._ask_sglang(rows)
        except InputError as error:
            if _status(error) in (400, 413, 422) and len(rows) > 1:  # which row is it?
                pairs = zip(rows, numbers, strict=True)
                return [score for row, number in pairs for score in self.ask([row], [number])]
            raise InputError(f"row {numbers[0]}: {error}" if len(rows) == 1 else str(error)) from error

    def _ask_vllm(self, rows: Ids) -> list[Any]:
        body = {"input": rows, "task": self.task, "use_activation": self.activation}
        reply = self._post("/pooling", body)
        self.engine = "vllm"
        try:
            values = {entry["index"]: entry["data"] for entry in reply["data"]}
        except (LookupError, TypeError) as error:
            raise self._wrong(f"no scores in {str(reply)[:100]}") from error
        return [self.read(self._array(values.get(k), self.shape(ids))) for k, ids in enumerate(rows)]

    def _ask_sglang(self, rows: Ids) -> list[Any]:
        raise self._wrong("it has no /pooling, so it is not vLLM, and SGLang serves no outcome reward model")

    def _scores_of_sglang(self, rows: Ids, **labels: Any) -> list[Any]:
        """Logits of a classifier, or probabilities of label tokens, for each row of ids."""
        reply = self._post("/v1/score", {"query": [], "items": rows} | labels)
        self.engine = "sglang"
        try:
            scores = list(reply["scores"])
        except (LookupError, TypeError) as error:
            raise self._wrong(f"no scores in {str(reply)[:100]}") from error
        if len(scores) != len(rows):
            raise self._wrong(f"{len(scores)} scores for {len(rows)} texts")
        return scores

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        named = {"model": self.name} if self.name else {}
        reply = self.client.post(path, named | body, self.remedy)
        sent = sum(map(len, body.get("input") or body["items"]))
        usage = reply.get("usage") if isinstance(reply, dict) else None
        if usage and usage.get("prompt_tokens") != sent:  # a server may cut what is too long, or add a start token
            raise self._wrong(f"it read {usage.get('prompt_tokens')} tokens of {sent} that were sent")
        return reply

    def _array(self, values: Any, shape: tuple[int, ...]) -> np.ndarray:
        """The numbers of a reply, float64, of that shape. Raises InputError; probabilities must be such."""
        try:
            array = np.array(values, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise self._wrong(f"{str(values)[:100]} are no numbers") from error
        if array.shape != shape:
            told = f"numbers of shape {array.shape}, but this text has scores of shape {shape}"
            raise self._wrong(f"{told}; is it another model, or another step token?")
        if not np.isfinite(array).all():
            raise self._wrong("scores that are not finite: they overflow in half precision; add --dtype float32")
        if self.activation and (array.min(initial=0) < 0 or array.max(initial=1) > 1):
            raise self._wrong(f"numbers of {array.min():g} to {array.max():g}, but probabilities were asked for")
        return array

    def _wrong(self, told: str) -> InputError:
        return InputError(f"{self.client.where}: {told}; {self.remedy}")

    def check(self, local: RewardModel, questions: Texts, solutions: Texts) -> float:
        """Compare the server's scores with those of `local`, the folder's own model: the largest difference.

        Of probabilities it is the difference of log-odds. Raises InputError where it is more than half precision
        explains, or where the engine reads the head otherwise than we do.
        """
        ours, theirs = (_raw(model, questions, solutions) for model in (local, self))
        self.remedy = f"start it with: {engine_command(local, self.folder, self.engine)}"
        gaps = np.abs(ours - theirs)
        if (gaps > SLACK * (1 + np.abs(ours))).any():
            worst = int(gaps.argmax())
            cause = "scores of other weights, or of these weights read differently"
            if np.allclose(theirs, 1 / (1 + np.exp(-ours)), atol=0.02):
                cause = "a sigmoid of the reward"
            elif np.allclose(theirs, -ours, atol=SLACK * (1 + np.abs(ours).max())):
                cause = "the probability of the other label"
            told = f"the server scores {theirs[worst]:.4g} where {self.folder} scores {ours[worst]:.4g}"
            unit = "" if self.scored_by == "bradley_terry" else " (log-odds)"
            raise self._wrong(f"{told}{unit}: it returns {cause}")
        return float(gaps.max())


class ServedOutcome(Served):
    """An outcome reward model: vLLM returns both labels after each token, and the last is read."""

    scored_by, task = "orm", "token_classify"

    def shape(self, ids: Sequence[int]) -> tuple[int, ...]:
        return len(ids), 2

    def read(self, values: np.ndarray) -> float:
        return float(values[-1, CORRECT])

    def score(self, questions: Texts, solutions: Texts) -> np.ndarray:
        """P(correct) of each solution: float64 [N], in the order given."""
        return np.array(self.score_each(questions, solutions), dtype=np.float64)


class ServedProcess(Served):
    """A process reward model: vLLM returns P(+) at each step token, SGLang those of `-` and `+`."""

    scored_by, task, worst = "prm", "token_classify", np.empty(0)
    as_read: Any = ProcessRewardModel.as_read
    score: Any = ProcessRewardModel.score

    def __init__(self, url: str, folder: str, **options: Any) -> None:
        super().__init__(url, folder, **options)
        self.step_id, self.plus_id, self.minus_id = label_ids(self.tokenizer)

    def shape(self, ids: Sequence[int]) -> tuple[int, ...]:
        return list(ids).count(self.step_id), 1

    def read(self, values: np.ndarray) -> np.ndarray:
        return values[:, 0]

    def _ask_sglang(self, rows: Ids) -> list[Any]:
        labels = {"label_token_ids": [self.minus_id, self.plus_id], "apply_softmax": True}
        scores = self._scores_of_sglang(rows, **labels, score_extraction_token=STEP_TOKEN)
        pairs = zip(scores, rows, strict=True)
        return [self._array(each, (self.shape(ids)[0], 2))[:, CORRECT] for each, ids in pairs]

    def step_scores(self, questions: Texts, solutions: Texts) -> list[np.ndarray]:
        """P(+) after each step of each solution: float64 [steps], in the order given; no step, no score."""
        return self.score_each(questions, solutions)


class ServedReward(Served):
    """A Bradley–Terry model: the raw reward. (SGLang's /v1/classify gives a softmax over one label, which is 1.)"""

    scored_by, task, worst, activation = "bradley_terry", "classify", -np.inf, False

    def shape(self, ids: Sequence[int]) -> tuple[int, ...]:
        return (1,)

    def read(self, values: np.ndarray) -> float:
        return float(values[0])

    def _ask_sglang(self, rows: Ids) -> list[Any]:
        return [self.read(self._array(values, (1,))) for values in self._scores_of_sglang(rows)]

    def score(self, prompts: Texts, responses: Texts) -> np.ndarray:
        """The raw reward of each response: float64 [N], in the order given."""
        return np.array(self.score_each(prompts, responses), dtype=np.float64)


KINDS: dict[Any, type[Served]] = {
    OutcomeRewardModel: ServedOutcome, ProcessRewardModel: ServedProcess, BradleyTerryRewardModel: ServedReward,
}  # fmt: skip


def served(url: str, folder: str, kind: type[RewardModel], **options: Any) -> Any:
    """The reward model of `folder`, one of our three kinds, as the engine at `url` serves it. Raises InputError.

    The folder's config and tokenizer are enough. options: retries, and timeout in seconds, of a request.
    """
    return KINDS[kind](url, folder, **options)


def _status(error: InputError) -> int:
    return getattr(error.__cause__, "status_code", 0)


def _raw(model: Any, questions: Texts, solutions: Texts) -> np.ndarray:
    """Rewards, or log-odds of all probabilities, one after another: numbers that no bound squeezes together."""
    steps = hasattr(model, "step_scores")
    values = np.concatenate(model.step_scores(questions, solutions)) if steps else model.score(questions, solutions)
    if isinstance(model, BradleyTerryRewardModel | ServedReward):
        return values
    values = values.clip(1e-6, 1 - 1e-6)  # a server's float32 ends there
    return np.log(values) - np.log1p(-values)
