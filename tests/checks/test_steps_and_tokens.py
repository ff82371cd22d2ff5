"""The checks of chapter 3, against answers that a learner would write."""

import numpy as np
from hints import trial

from minrm.checks import check_agreement, check_safe_tag, check_step_pairs
from minrm.text import join_steps, split_steps


def agreed(soft, exact, good, keep=lambda labels: labels.index(0) + 1 if 0 in labels else len(labels)):
    return [
        [good(value) == label for value, label in list(zip(own, labels, strict=True))[: keep(labels)]]
        for own, labels in zip(soft, exact, strict=True)
    ]


def agreement(soft, exact, share):
    return float(np.mean(sum(agreed(soft, exact, lambda value: value >= share), [])))


def agreement_by_break(soft, exact, share):
    said = []
    for own, labels in zip(soft, exact, strict=True):
        for value, label in zip(own, labels, strict=True):
            said.append(bool(label) is (value >= share))
            if not label:
                break
    return np.mean(said)


def without_the_error(soft, exact, share):
    return np.mean(sum(agreed(soft, exact, lambda value: value >= share, lambda labels: (*labels, 0).index(0)), []))


def by_soft_error(soft, exact, share):
    said = []
    for own, labels in zip(soft, exact, strict=True):
        for value, label in zip(own, labels, strict=True):
            said.append((value >= share) == label)
            if value < share:
                break
    return np.mean(said)


test_agreement = trial(
    check_agreement,
    [agreement, agreement_by_break],
    [
        (lambda s, e, share: np.mean(sum(agreed(s, e, lambda v: v >= share, len), [])), "after the first error"),
        (without_the_error, "the first error itself is left out"),
        (lambda s, e, share: np.mean(sum(agreed(s, e, lambda v: v > share), [])), "`>=`, not `>`"),
        (lambda s, e, share: np.mean([np.mean(x) for x in agreed(s, e, lambda v: v >= share)]), "let each step count"),
        (by_soft_error, "that the exact labels name"),
        (lambda s, e, share: np.mean(sum(agreed(s, e, lambda v: v), [])), "compared as they are"),
        (lambda s, e, share: 1 - agreement(s, e, share), "how often they differ"),
        (lambda s, e, share: sum(sum(agreed(s, e, lambda v: v >= share), [])), "that is a number of steps"),
        (lambda s, e, share: 100 * agreement(s, e, share), "these are per cent"),
        (lambda s, e, share: agreement(s, e, 0.5), "use `share`"),
        (lambda s, e, share: np.mean(np.array(s) >= share), "stopped with ValueError"),
        (lambda s, e, share: [own.pop() for own in s], "changed its arguments"),
    ],
)


def pairs_of(rows, prompt=lambda row, before: "\n".join([row["question"], *before]), header=True, bad=(0,), last=None):
    """Pairs by place, with what a learner may change: the prompt, the header, which labels are bad, how far to go."""
    nexts = {}
    for row in rows:
        steps = split_steps(row["solution"])
        for k, (step, label) in enumerate(zip(steps, row["labels"], strict=True)):
            if last is None or k < last:
                number = "" if not header else "Step: 1: " if header == "first" else f"Step: {k + 1}: "
                before = join_steps(steps[:k]).splitlines()
                nexts.setdefault(prompt(row, before), {}).setdefault("bad" if label in bad else label, number + step)
    return [{"prompt": p, "chosen": f[1], "rejected": f["bad"]} for p, f in nexts.items() if 1 in f and "bad" in f]


def pairs_by_text(rows):
    """From the text alone: cut each solution at its headers, the last good and the last bad step win."""
    good, bad = {}, {}
    for row in rows:
        prompt = row["question"]
        for number, label in enumerate(row["labels"], start=1):
            rest = row["solution"].split(f"Step: {number}: ")[1].split(f"\nStep: {number + 1}: ")[0]
            step = f"Step: {number}: {rest}"
            {1: good, 0: bad}.get(label, {})[prompt] = step
            prompt += "\n" + step
    return [dict(prompt=p, chosen=good[p], rejected=bad[p]) for p in sorted(good.keys() & bad.keys())]


def pairs_by_loops(rows):
    found = {}
    for a in rows:
        for b in rows:
            left, right = split_steps(a["solution"]), split_steps(b["solution"])
            for k in range(min(len(left), len(right))):
                if (
                    a["question"] == b["question"]
                    and left[:k] == right[:k]
                    and (a["labels"][k], b["labels"][k]) == (1, 0)
                ):
                    prompt = a["question"] + ("\n" + join_steps(left[:k]) if k else "")
                    chosen, rejected = (f"Step: {k + 1}: {side[k]}" for side in (left, right))
                    found[prompt] = {"prompt": prompt, "chosen": chosen, "rejected": rejected}
    return list(found.values())


def whole(rows):
    first = pairs_of(rows, last=1)
    full = {(row["question"], row["solution"].split("\n")[0]): row["solution"] for row in rows}
    for pair in first:
        for side in ("chosen", "rejected"):
            pair[side] = full[pair["prompt"], pair[side].split("\n")[0]]
    return first


def swapped(rows):
    return [pair | {"chosen": pair["rejected"], "rejected": pair["chosen"]} for pair in pairs_of(rows)]


def same_label(rows):
    return [pair | {"rejected": pair["chosen"]} for pair in pairs_of(rows)]


test_step_pairs = trial(
    check_step_pairs,
    [pairs_of, pairs_by_text, pairs_by_loops],
    [
        (lambda rows: pairs_of(rows, lambda row, before: "\n".join(before)), "the question is missing"),
        (lambda rows: pairs_of(rows, lambda row, before: row["question"]), "never follows this prompt"),
        (lambda rows: pairs_of(rows, lambda row, before: "\n".join([row["question"], *before, ""])), "in a line break"),
        (lambda rows: pairs_of(rows, lambda row, before: row["question"] + "".join(before)), "no beginning of a"),
        (lambda rows: pairs_of(rows, header=False), "has no header"),
        (lambda rows: pairs_of(rows, header="first"), "or a wrong number in it"),
        (lambda rows: pairs_of(rows, bad=(None,)), "(None) is neither good nor bad"),
        (lambda rows: pairs_of(rows, last=1), "no pair for the prompt"),
        (lambda rows: pairs_of(rows)[1:], "no pair for the prompt"),
        (lambda rows: pairs_of(rows) * 2, "2 pairs at the prompt"),
        (whole, "return only the next step"),
        (swapped, "the wrong way round"),
        (same_label, "both steps have the same label"),
        (lambda rows: [tuple(pair.values()) for pair in pairs_of(rows)], "expected a list of dictionaries"),
        (lambda rows: [], "no pair for the prompt"),
        (lambda rows: rows.clear(), "changed its arguments"),
        (lambda rows: [row["steps"] for row in rows], "stopped with KeyError: 'steps'"),
    ],
)


def ids(tokenizer, text):
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def safe_tag(tokenizer, tag, texts):
    step = ids(tokenizer, tag)
    if len(step) > 1 or any(step[0] in ids(tokenizer, text) for text in texts):
        return False
    return all(ids(tokenizer, text + tag)[-1] == step[0] for text in texts)


def safe_by_tokens(tokenizer, tag, texts):
    pieces = tokenizer.tokenize(tag)
    alone = len(pieces) == 1
    behind = [tokenizer.tokenize(text + tag) == tokenizer.tokenize(text) + pieces for text in texts]
    return alone and all(behind) and not any(pieces[0] in tokenizer.tokenize(text) for text in texts)


def one(tokenizer, tag, texts):
    return len(ids(tokenizer, tag)) == 1


def absent(tokenizer, tag, texts):
    return all(ids(tokenizer, tag)[0] not in ids(tokenizer, text) for text in texts)


def stays(tokenizer, tag, texts):
    return all(ids(tokenizer, text + tag)[-1:] == ids(tokenizer, tag) for text in texts)


test_safe_tag = trial(
    check_safe_tag,
    [safe_tag, safe_by_tokens],
    [
        (one, "one id is not enough"),
        (lambda *args: one(*args) and absent(*args), "the tag merges with what stands before it"),
        (lambda *args: one(*args) and stays(*args), "occurs in a text already"),
        (lambda tokenizer, tag, texts: one(tokenizer, tag, texts) and tag not in "".join(texts), "not for its letters"),
        (lambda tokenizer, tag, texts: safe_tag(tokenizer, tag, texts[:1]), "only the first text is looked at"),
        (lambda *args: not safe_tag(*args), "True is for a tag that is safe"),
        (lambda *args: True, "every tag passes"),
        (lambda *args: False, "no tag passes"),
        (lambda *args: str(safe_tag(*args)), "print the ids of the tag"),
        (lambda tokenizer, tag, texts: ids(tag, tokenizer), "stopped with TypeError"),
    ],
)
