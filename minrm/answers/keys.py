"""Whether two final answers are the same: each gets one canonical key, and the keys are compared.

Self-consistency (Wang et al. 2022) counts votes by these keys, and outcome labels come from them. Two answers agree
only where that is proven: numbers are exact, sets, points and intervals are compared by their parts, formulas by their
values (`minrm.answers.values`). What cannot be read is compared as text, so that two ways to write one answer may
differ.
"""

import re
from functools import lru_cache
from itertools import accumulate

from minrm.answers.numbers_and_units import number_key, plain_number, split_unit, tidy

LONGEST = 500  # characters; a longer answer is compared as text
DEEPEST = 24  # brackets within each other

_NAMED = re.compile(  # one value with a name: x = …, x_1 = …, f(x) = …, Area = …, (x, y) = …, x ∈ …
    r"((?:\\?[A-Za-z ]+|[α-ωΑ-Ω])(?: ?_ ?(?:\{\w+\}|\w))?'*(?: ?\([A-Za-z, ]+\))?|\([a-z](?: ?, ?[a-z])+\))"
    r" ?[=∈] ?([^=∈]+)"
)
_TIME = re.compile(r"([0-9]{1,2})(?::([0-5][0-9]))? ?([ap])\.? ?m\.?", re.IGNORECASE)
_NO_FORMULA = re.compile(  # scores and dates; times of day and ratios; hexadecimal numbers; f(x)
    r"[0-9]+(?:-[0-9]+)+|.*[0-9] ?: ?[0-9].*|[0-9A-F]{2,} ?_ ?\{?(?:1[1-9]|[23][0-9])\}?"
    r"|.*(?<![A-Za-z])(?:[fgh] ?\(|[A-Za-z] ?\([A-Za-z]\)).*"
)
_MATRIX = re.compile(r"(.*?)\*? ?\\begin ?\{([pb]?)matrix\}(.*)\\end ?\{\2matrix\}")
_WORD = re.compile(r"(?<![\\A-Za-z])(?!(?:arc)?(?:sin|cos|tan|log|exp|sqrt|frac))[A-Za-z]{3,}")
_MIXED = re.compile(r"-?[0-9]+ and (?:[0-9]+ ?/|\\frac)")  # "3 and 1/2" is 3.5 to some
_LETTERS = re.compile(r"[A-Za-z ]{2,}")
_LETTER_PRODUCT = re.compile(r"(?!.*(.).*\1)(?:[abc]+|[pqr]+|[mn]+|[u-z]+)|.*(?:sin|cos|tan|log|ln).*")


def same_answer(a: str | None, b: str | None) -> bool:
    """Whether two final answers say the same: `18`, `18.0`, `$18`, `18 eggs`; `1/2`, `0.5`, `\\frac12`; `x=5`, `5`.

    Compares keys, so it groups answers without contradiction. No answer (None, "") equals nothing, not even itself.
    Units are not compared, since the question fixes them, and `20%` is 20. Numbers are exact: `0.333` is not `1/3`.
    Never raises.
    """
    key = answer_key(a)
    return key is not None and key == answer_key(b)


@lru_cache(maxsize=1 << 16)
def answer_key(answer: str | None) -> str | None:
    """The canonical form by which answers are grouped, None for no answer: `answer_key("$1,200.00")` is `"1200"`.

    The key of a number is its exact decimal or fraction, of a set `{1, 2}`, of a point or open interval `(1, 2)`, of a
    formula a digest of its values, and of anything else its words in small letters.
    """
    text = (answer or "").strip()
    if re.fullmatch(r"-?[1-9][0-9]{0,8}|0", text):  # the common case needs none of the below
        return text
    if len(text) > LONGEST:
        return _words(text)
    text = tidy(text)
    choice = re.fullmatch(r"\(?([A-Da-d])\)?", text)
    if choice:
        return choice[1].upper()
    deep = max(_depths(text), default=0) > DEEPEST
    return (_words(text) if deep else _key(text)).strip() or None


def _depths(text: str) -> list[int]:
    """For each character the number of brackets that are open after it."""
    depths = [0]
    for character in text:
        depths.append(depths[-1] + (character in "([{") - (character in ")]}"))
    return depths[1:]


def _key(text: str) -> str:
    """The key of tidy text: a number, else a time, else its parts, else a formula, else its words."""
    text = text.strip()
    if named := _NAMED.fullmatch(text):
        letters = re.findall("[a-z]", named[1]) if named[1][0] == "(" else []
        text = named[2].strip() if letters == sorted(letters) else text
    rest, _ = split_unit(text)
    number = plain_number(rest)
    if number is not None:
        return number_key(number)
    if time := _TIME.fullmatch(text):
        return f"{int(time[1])}:{time[2] or '00'} {time[3].lower()}m"
    return _parts_key(text) or _formula_key(rest) or _words(text)


def _parts_key(text: str) -> str | None:
    """The key of a matrix, union, set, point, interval, list or relation, from the keys of its parts."""
    if matrix := _MATRIX.fullmatch(text):
        return _matrix_key(matrix[1].strip(), matrix[3])
    if len(parts := _split(text, "∪")) > 1:
        return " ∪ ".join(sorted(map(_key, parts)))
    if text[:2] == "\\{" and text[-2:] == "\\}" and _is_bracketed(text[1:-2] + "}"):
        keys = _keys(_split(text[2:-2], ",")) or [_words(text[2:-2])]
        return "{" + ", ".join(sorted(set(keys))) + "}"
    if text[:1] in ("(", "[", "{") and _is_bracketed(text):
        inside = _split(text[1:-1], ",")
        if len(inside) == 1:
            return _key(inside[0]) if text[0] + text[-1] in ("()", "{}") else None
        keys = _keys(inside)
        keys = sorted(keys) if text[0] == "{" else keys
        return text[0] + ", ".join(keys) + text[-1] if keys else None
    return _list_key(text) or _relation_key(text)


def _list_key(text: str) -> str | None:
    """The key of a list without brackets, in any order; none of a list of words or letters, whose order may count."""
    items = _split(re.sub(r",? (and|or) ", r",\1,", text), ",")
    joints = {"and", "or"}.intersection(items)
    items = [item for item in items if item.strip() and item not in joints]
    if len(items) < 2 or any(_WORD.search(split_unit(item)[0]) for item in items) or _MIXED.match(text):
        return None
    if all(re.fullmatch("[A-Za-z ]+", item) for item in items):
        return None
    keys = sorted(_keys(items))
    joint = " or " if "or" in joints and re.search("[<>≤≥≠]", text) else ", "
    return "{" + joint.join(keys) + "}" if keys else None


def _keys(items: list[str]) -> list[str]:
    """The keys of items; with their names where these differ. No keys if the items have different units."""
    if len({split_unit(item)[1] for item in items}) > 1:
        return []
    names = [named[1].replace(" ", "") if (named := _NAMED.fullmatch(item.strip())) else "" for item in items]
    if len(set(names)) == 1 or not any(names[1:]):  # x = 1 or x = 2; x = 1, 2
        return [_key(item) for item in items]
    return [f"{name} = {_key(item)}" for name, item in zip(names, items, strict=True)]


def _relation_key(text: str) -> str | None:
    """The key of an equation or a chain of inequalities, which is read from the small side to the large one."""
    sides = _split(text, "<>≤≥=≠")
    if len(sides) < 2 or not all(map(str.strip, sides)):
        return None
    ends = accumulate(len(side) + 1 for side in sides)
    signs = [text[end - 1] for end in ends if end <= len(text)]
    keys = list(map(_key, sides))
    if set(signs) <= {">", "≥"}:
        keys, signs = keys[::-1], ["<" if sign == ">" else "≤" for sign in reversed(signs)]
    if len(signs) == 1 and signs[0] in "=≠":
        keys.sort()
    return keys[0] + "".join(f" {sign} {key}" for sign, key in zip(signs, keys[1:], strict=True))


def _matrix_key(factor: str, inside: str) -> str:
    """The key of a matrix from those of its cells; one row or one column is the point with these coordinates."""
    rows = [row.split("&") for row in inside.strip().removesuffix("\\\\").split("\\\\")]
    factor = "-1" if factor == "-" else factor
    keys = [[_key(f"({factor})*({cell})" if factor else cell) for cell in row] for row in rows]
    if min(len(keys), max(map(len, keys))) == 1:
        return "(" + ", ".join(key for row in keys for key in row) + ")"
    return "[" + "; ".join(", ".join(row) for row in keys) + "]"


def _is_bracketed(text: str) -> bool:
    """Whether the first bracket closes at the end, and not before."""
    depths = _depths(text)
    return len(depths) > 1 and depths[-1] == 0 and min(depths[:-1]) > 0


def _split(text: str, separators: str) -> list[str]:
    """The parts between separators that stand outside all brackets; no parts if the brackets do not pair up."""
    depths = _depths(text)
    if depths and (min(depths) < 0 or depths[-1] != 0):
        return []
    cuts = [place for place, depth in enumerate(depths) if depth == 0 and text[place] in separators]
    return [text[start + 1 : end] for start, end in zip([-1, *cuts], [*cuts, len(text)], strict=True)]


def _formula_key(text: str) -> str | None:
    """The key of a formula's value, a set for one `±`, or None for what is no formula or too large to evaluate."""
    letters = text.replace(" ", "") if _LETTERS.fullmatch(text) else "x"
    if _NO_FORMULA.fullmatch(text) or not (len(letters) == 1 or _LETTER_PRODUCT.fullmatch(letters)):
        return None
    from minrm.answers.values import formula_key  # mpmath takes a moment to load

    if text.count("±") != 1:
        return formula_key(text)
    both = {formula_key(text.replace("±", sign)) or "" for sign in "+-"}
    return None if "" in both else "{" + ", ".join(sorted(both)) + "}"


def _words(text: str) -> str:
    """The text with small letters and one spacing; in what holds mathematics, single letters keep their case."""
    text = re.sub(r"([_^]) ?\{ ?(\w|[0-9]+) ?\}", r"\1\2", " ".join(text.split()))
    text = re.sub(r" (?=[^\w\s.'…])|(?<=[^\w\s.'…]) ", "", text)  # no space beside a sign
    if re.search(r"[\\0-9_^=+*/<>≤≥|]", text):
        return re.sub(r"(?<![\\A-Za-z])[A-Za-z]{3,}", lambda match: match[0].lower(), text)
    return text.lower()
