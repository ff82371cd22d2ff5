"""What the three reward models share: loading, saving, text to ids, batches, and each different text scored once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from minrm import loading
from minrm.errors import InputError
from minrm.inference.batches import checked_budget, token_batches
from minrm.inference.prefixes import Prefixes, can_share, continuations
from minrm.text import check_text

Texts = Sequence[str]
Ids = Sequence[Sequence[int]]
Read = Callable[[dict[str, Tensor]], Iterable[Any]]
Encoded = tuple[list[int], list[bool]]  # ids, and a mask that is true on the solution's tokens


class RewardModel(nn.Module):
    """A stock transformers module, `.model`, with its `.tokenizer`. Each kind adds `forward`, `score`, and:

    - `prepare(rows, max_length, where)`: for each row of its schema a dict of tensors, or None for a row from which
      the model cannot learn. InputError for a row that does not fit; where: the rows' file, for the message.
    - `collate(features)`: such dicts as one padded batch, {"inputs": the arguments of `forward`, "targets": what the
      loss needs, "count": how many terms the loss sums}.
    - `loss_sum(outputs, targets)`: the loss summed over these terms. Training divides the sum by the count of the whole
      update, so that neither accumulation nor the number of processes changes the gradient.
    - `is_correct(outputs, targets)`: bool for each prediction, for the accuracy on held-out rows.
    """

    kind: ClassVar[str]  # for messages: "an outcome reward model"
    auto_class: ClassVar[Any]  # the stock class of its checkpoints
    head: ClassVar[dict[str, Any]] = {}  # config fields of a new head

    def __init__(self, model: Any, tokenizer: Any) -> None:
        super().__init__()
        self.model, self.tokenizer = model, tokenizer

    @classmethod
    def from_base(
        cls, base: Any, *, tokenizer: Any = None, device: Any = None, dtype: Any = torch.float32, seed: int = 0
    ) -> Self:
        """A new reward model from a language model (folder, hub name, or built with its tokenizer). seed: of a head."""
        options = {"tokenizer": tokenizer, "device": device, "dtype": dtype, "seed": seed, "base": True}
        model, tokenizer = loading.load(cls.auto_class, base, **options, **cls.head)
        if getattr(model, "hf_quantizer", None):
            raise InputError(f"the weights of {base} are quantised, so they cannot be trained; take plain ones")
        cls.adapt(model, tokenizer)
        return cls(model, tokenizer)

    @classmethod
    def from_pretrained(cls, path: Any, *, tokenizer: Any = None, device: Any = None, dtype: Any = None) -> Self:
        """The reward model of a checkpoint (folder or hub name). dtype: by default what the device computes best in."""
        cls.check_config(path, loading.check_kind(cls.auto_class, path, cls.kind))
        dtype = dtype or loading.compute_dtype(loading.pick_device(device))
        return cls(*loading.load(cls.auto_class, path, tokenizer=tokenizer, device=device, dtype=dtype))

    @classmethod
    def adapt(cls, model: Any, tokenizer: Any) -> None:
        """Change a language model, in place, before it becomes a reward model."""

    @classmethod
    def check_config(cls, path: Any, config: Any) -> None:
        """Refuse a checkpoint of the right class with another head. Raises InputError."""
        expected = len(cls.head.get("id2label", ())) or cls.head.get("num_labels")
        if expected and config.num_labels != expected:
            raise InputError(f"{path} has {config.num_labels} labels; {cls.kind} has {expected}")

    def save_pretrained(self, path: str | Path) -> None:
        """Write a folder that `from_pretrained` and stock transformers load."""
        loading.save(self.model, self.tokenizer, path)

    def as_read(self, solution: str) -> str:
        """The text of a solution as this model reads it."""
        return solution

    def encode(self, questions: Texts, solutions: Texts) -> list[Encoded]:
        """Input ids of each text, and a mask that is true on the solution's tokens."""
        check_pairs(questions, solutions)
        return encode(self.tokenizer, questions, [self.as_read(solution) for solution in solutions])

    def tokenize(self, question: str, solution: str) -> Encoded:
        """Input ids of one text, and a mask that is true on the solution's tokens."""
        return self.encode([question], [solution])[0]

    def score_each(
        self, questions: Texts, solutions: Texts, read: Read, worst: Any, batch_tokens: int | None, progress: bool
    ) -> list[Any]:
        """The score of each solution, in the order given. read: padded inputs → scores; worst: of an empty one."""

        def score(questions: Texts, solutions: Texts, numbers: list[int]) -> list[Any]:
            rows, name = self.encode(questions, solutions), "scoring" if progress else ""
            scores: dict[int, Any] = {}
            with evaluating(self):
                for batch, inputs, context in continued(rows, self.tokenizer, self.model, batch_tokens, name, numbers):
                    with context:
                        scores |= zip(batch, read(inputs), strict=True)
            return [scores[row] for row in range(len(rows))]

        return score_once(questions, solutions, score, worst)


def score_once(questions: Texts, solutions: Sequence[Any], score: Callable, worst: Any) -> list[Any]:
    """The score of each solution, in the order given; each different pair is scored once, since candidates repeat.

    solutions: texts, or lists of steps. score: takes the different questions and solutions, none of them empty, and the
    numbers of their rows, for messages. worst: the score of an empty solution. Raises InputError.
    """
    check_pairs(questions, solutions)
    pairs = [(q, s if isinstance(s, str) else tuple(s)) for q, s in zip(questions, solutions, strict=True)]
    numbers: dict[Any, int] = {}
    for number, pair in enumerate(pairs, start=1):
        if "".join(pair[1]).strip():
            numbers.setdefault(pair, number)
    scores = score([q for q, _ in numbers], [s for _, s in numbers], list(numbers.values())) if numbers else []
    score_of = dict(zip(numbers, scores, strict=True))
    return [score_of.get(pair, worst) for pair in pairs]


def check_pairs(questions: Texts, solutions: Sequence[Any]) -> None:
    """Refuse anything but two lists of equally many texts, and texts with the step token. Raises InputError."""
    if isinstance(questions, str) or isinstance(solutions, str):
        raise InputError("questions and solutions are lists of texts, not a single text; put it into a list")
    if len(questions) != len(solutions):
        raise InputError(f"{len(questions)} questions but {len(solutions)} solutions; each solution needs its question")
    for row, (question, solution) in enumerate(zip(questions, solutions, strict=True), start=1):
        check_text(question, f"row {row}", "question")
        if (text := "".join(solution)).strip():
            check_text(text, f"row {row}")


def encode(tokenizer: Any, questions: Texts, solutions: Texts) -> list[Encoded]:
    """Ids and solution mask of each pair: the one place where text becomes ids, in training and in scoring.

    The text is question, newline, solution. The two parts are tokenised apart and joined, so the boundary is exact
    whatever the tokenizer merges. A start token comes first where the tokenizer adds one; no end token follows.
    """
    if len(questions) == 0:
        return []
    options = {"add_special_tokens": False, "verbose": False}
    start = start_ids(tokenizer)
    distinct = list(dict.fromkeys(questions))  # candidates share their question
    ids = tokenizer([question + "\n" for question in distinct], **options)["input_ids"]
    prefix = {question: start + part for question, part in zip(distinct, ids, strict=True)}
    parts = tokenizer(list(solutions), **options)["input_ids"]
    return [
        (prefix[question] + part, [False] * len(prefix[question]) + [True] * len(part))
        for question, part in zip(questions, parts, strict=True)
    ]


def start_ids(tokenizer: Any) -> list[int]:
    """The id of the start token, in a list, if the tokenizer itself puts one before a text; else an empty list."""
    bos = tokenizer.bos_token_id
    return [bos] if bos is not None and tokenizer("a")["input_ids"][:1] == [bos] else []


def pad(rows: Sequence[Sequence[int] | Tensor], tokenizer: Any, side: str = "") -> dict[str, Tensor]:
    """input_ids and attention_mask [B, T] int64 of ids of different lengths; side: by default the tokenizer's."""
    ids = [torch.as_tensor(row) for row in rows]
    mask = pad_as([torch.ones_like(row) for row in ids], 0, tokenizer, side)
    return {"input_ids": pad_as(ids, tokenizer.pad_token_id, tokenizer, side), "attention_mask": mask}


def pad_as(rows: list[Tensor], value: float, tokenizer: Any, side: str = "") -> Tensor:
    """1-d tensors stacked into [B, T], filled with `value` on one side, by default the tokenizer's."""
    return pad_sequence(rows, batch_first=True, padding_value=value, padding_side=side or tokenizer.padding_side)


def positions(attention_mask: Tensor) -> Tensor:
    """Position ids [B, T] that count real tokens only, so that padding on the left moves nothing."""
    return (attention_mask.cumsum(dim=1) - 1).clamp(min=0)


def last_token(attention_mask: Tensor) -> Tensor:
    """Index [B] of the last real token. By the mask, not by the pad id: pad and end token may be the same."""
    return (attention_mask * torch.arange(attention_mask.shape[1], device=attention_mask.device)).argmax(dim=1)


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Eval mode without gradients; afterwards the module is as it was."""
    training = module.training
    module.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        module.train(training)


def batches(
    rows: Ids, tokenizer: Any, model: Any, budget: int | None, name: str = "", numbers: Sequence[int] = ()
) -> Iterator[tuple[list[int], dict[str, Tensor]]]:
    """Row indices of each batch, and its inputs, padded and on the model's device. name: of a progress bar; "": none.

    budget: padded tokens in a batch. numbers: of the rows, for messages. Raises InputError for a row beyond the limit.
    """
    budget = checked_budget(model, rows, budget, numbers)
    with loading.progress_bar(len(rows), name, " rows", shown=bool(name)) as bar:
        for batch in token_batches([len(row) for row in rows], budget):
            yield batch, _inputs([rows[index] for index in batch], tokenizer, model)
            bar.update(len(batch))


def continued(
    rows: Sequence[Encoded], tokenizer: Any, model: Any, budget: int | None, name: str = "", numbers: Sequence[int] = ()
) -> Iterator[tuple[list[int], dict[str, Tensor], Any]]:
    """Like `batches`, but of solutions alone: each different question is read once for all of its solutions.

    The third item is the context in which the model reads the batch. If nothing is shared, batches hold whole texts.
    """
    whole, questions = [ids for ids, _ in rows], [ids[: mask.index(True)] for ids, mask in rows]
    if len(set(map(tuple, questions))) == len(rows) or not can_share(model):
        yield from ((*batch, nullcontext()) for batch in batches(whole, tokenizer, model, budget, name, numbers))
        return
    budget = checked_budget(model, whole, budget, numbers)
    with loading.progress_bar(len(rows), name, " rows", shown=bool(name)) as bar:
        for together, parts in continuations(questions, whole, budget):
            inputs = _inputs(together, tokenizer, model, side="left")
            prefixes = Prefixes(model, **inputs, position_ids=positions(inputs["attention_mask"]))
            for batch, places in parts:
                rest = [whole[row][len(questions[row]) :] for row in batch]
                yield batch, _inputs(rest, tokenizer, model, side="right"), prefixes.before(places)
                bar.update(len(batch))


def _inputs(rows: Ids, tokenizer: Any, model: Any, side: str = "") -> dict[str, Tensor]:
    return {name: tensor.to(model.device) for name, tensor in pad(rows, tokenizer, side).items()}


def finite_float64(numbers: Tensor, model: Any) -> Tensor:
    """The outputs of `model` as float64 on the CPU (Apple's GPU has none). Raises InputError if one is not finite."""
    values = numbers.cpu().double()
    if values.isfinite().all():
        return values
    if model.dtype in (torch.float16, torch.bfloat16):
        raise InputError(f"scores overflow in {model.dtype}; load the model with dtype='float32' (--dtype float32)")
    raise InputError(f"scores are not finite, in {model.dtype}: the weights of this model are spoilt; train it again")
