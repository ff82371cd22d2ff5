"""Plain text of an answer, its unit, and the key of a number.

One notation takes the place of many: `\\dfrac`, `\\leqslant`, `²`, `\\text{…}`, dollars, braces and spaces are
rewritten, or taken out where they change nothing. A unit is a known one or a plural noun after a number, never any
letters; words that change the number, such as `thirds` or `squared`, are none.
"""

import re
import unicodedata
from fractions import Fraction

_GREEK = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho _ sigma tau upsilon"
_LETTERS = dict(zip(f"{_GREEK} phi chi psi omega".split(), map(chr, range(0x3B1, 0x3CA)), strict=True))
_SIGNS = {  # the sign or command that stands for all these
    "*": "cdot times ast", "/": "div", "±": "pm", "∞": "infty", "∪": "cup", "°": "degree", "∅": "emptyset varnothing",
    "≤": "le leq leqslant leqq", "≥": "ge geq geqslant geqq", "<": "lt", ">": "gt", "≠": "ne neq", "≈": "approx",
    "∈": "in", "⌊": "lfloor", "⌋": "rfloor", "⌈": "lceil", "⌉": "rceil", "|": "lvert rvert vert mid", "(": "langle",
    ")": "rangle", "\\frac": "dfrac tfrac cfrac", "\\binom": "dbinom tbinom", "\\{": "lbrace", "\\}": "rbrace",
    "…": "ldots dots cdots ddots", "\\overline": "bar dot", " ": "quad qquad", "ε": "varepsilon", "φ": "varphi",
    "": "left right big bigl bigr Big Bigl Bigr bigg biggl biggr displaystyle limits boxed",
}  # fmt: skip
_COMMANDS = _LETTERS | {name.capitalize(): letter.upper() for name, letter in _LETTERS.items()}
_COMMANDS |= {name: sign for sign, names in _SIGNS.items() for name in names.split()}
_TEXT = r"\\(?:text|mathrm|mbox|text[bi][ft]|textrm|mathbf|operatorname) ?\*?\{([^{}]*)\}|\{ ?\\(?:rm|bf|it) ([^{}]*)\}"
_REWRITES: list[tuple[re.Pattern[str], str]] = [(re.compile(pattern), new) for pattern, new in [
    (r"(?<=\S)~", " "), (_TEXT, r" \1\2 "), (_TEXT, r" \1\2 "), (r"(?<!\\)\\[,;: ]", " "), (r"\\!", ""),
    (r"(?<![\\\w)}])\*\*(?=\S)([^*]+)(?<=\S)\*\*(?![\w({\\])", r"\1"), (r"^[*_`]+|[*`]+$", ""), (r"\*\*", "^"),  # bold
    (r"\\\\\[[0-9.]+ ?[a-z]{2}\]", r"\\\\"), (r"(?<=[0-9])\{,\}(?=[0-9]{3}(?![0-9]))", ""),
    (r"\b(?:US|USD|Rs\.?) ?(?=[$0-9])", ""), (r"\\?[$€£¥₹¢%]|(?<!\\)\\[()\[\]]", ""),
    (r"\^ ?(?:\{ ?(?:\\circ|°) ?\}|\\circ|°)|(?<=[0-9]) ?degrees?\b", "°"),
    (r"° ?(?:[CF]|[Cc]elsius|[Ff]ahrenheit)\b", "°"),
    ("−|(?<![0-9] )(?<![0-9])–", "-"), (r"[×·⋅∗]", "*"), ("÷", "/"), (r"\b[iI]nfinity\b", "∞"), (r"\+ ?∞", "∞"),
    (r"(?<=[)\]]) ?U ?(?=[(\[])", "∪"), ("<=", "≤"), (">=", "≥"), ("!=", "≠"),
    (r"\+/?-", "±"), (r"(?<![A-Za-z\\])pi(?![A-Za-z])", "π"),
    (r"^ ?=+", ""), (r"\.\.\.+", "…"), (" +", " "),
]]  # fmt: skip
_THOUSANDS = re.compile(r"(?<![0-9.,])[1-9][0-9]{0,2}(?:,[0-9]{3})+(?![0-9,])")
_SCALES = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12, "dozen": 12}
_NUMBER = re.compile(
    r"(?P<sign>[-+]?) ?(?:(?P<whole>[0-9]+) +)?"  # a mixed number: "1 1/2"
    r"(?:(?P<over>[0-9]+) ?/ ?(?P<under>[0-9]+)|(?P<decimal>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?))"
    rf"(?: (?P<scale>{'|'.join(_SCALES)}))?"
)

_BEFORE_UNIT = re.compile(
    rf"(.*?[0-9)}}!π](?: (?:{'|'.join(_SCALES)}))?)( ?)([A-Za-z](?:[A-Za-z./ ]| ?\^ ?\{{? ?[23] ?\}}?)*)"
)
_UNITS = (  # without the s of the plural
    "mm cm dm km inch inche foot feet ft yard yd mile metre meter kilometer centimeter millimeter kilometre centimetre "
    "millimetre unit kg lb oz ounce pound gram kilogram milligram ton tonne sec second min minute hr hour day week "
    "month year decade dollar cent euro buck pence penny pennie usd rupee yen yuan percent degree radian ml cl liter "
    "litre milliliter millilitre gallon quart pint cup tablespoon teaspoon acre mph kph people children men women "
    "sheep fish mice geese point"
)
_UNITS_APART = "m g s h l L in mi mg ms"  # after a space only: 2m and 2mg are also products
_KNOWN, _KNOWN_APART = frozenset(_UNITS.split()), frozenset(_UNITS_APART.split())
_CHANGES = re.compile(  # words that change the number, or begin another one
    "times|twice|half|halves|doubles?|triples?|pairs?|couples?|scores?|quarters?|more|less|fewer|over|under|out|point"
    "|squared|cubed|remainders?|plus|minus|and|or|to|in|of|by|per|choose|mod|base|root|negative|not|than|from|with"
    "|without|below|above|between|until|about|factorials?|always|divided|dozens?|hundreds?|thousands?|[a-z]+illions?"
    "|ones|twos|threes|fours|fives|sixes|sevens|eights|nines|tens|mil|mille"
    "|.*(?:third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|teenth|tieth|dredth|sandth|lionth)s?"
)
_PLURAL = re.compile("[a-z]{2,}[a-hj-rtv-z]s")  # not: is, plus, less, minus
_AFTER_UNIT = re.compile(r" (?:left|old|each|remaining|altogether|(?:in )?total|in all|long|wide|high|tall|away)$")


def tidy(text: str) -> str:
    """The text in one notation, without what changes nothing: delimiters, spacing, currency and percent signs."""
    if not text.isascii():
        text = re.sub("[⁰¹²³⁴-⁹⁻ⁿ]+", lambda match: f"^{{{unicodedata.normalize('NFKC', match[0])}}}", text)
        text = re.sub("[₀-₉]+", lambda match: f"_{{{unicodedata.normalize('NFKC', match[0])}}}", text.replace("º", "°"))
        text = unicodedata.normalize("NFKC", re.sub("([¼-¾⅐-⅞])", r" \1", text)).replace("⁄", "/")  # 1½ is no 11/2
    text = re.sub(r"\\([A-Za-z]+)", lambda match: _COMMANDS.get(match[1], match[0]), " ".join(text.split()))
    for pattern, new in _REWRITES:
        text = pattern.sub(new, text)
    text = _join_thousands(text.rstrip(" .,;").lstrip())
    spaced = re.match(r"-?[1-9][0-9]{0,2}(?: [0-9]{3})+(?=$|\.| [A-Za-z])", text)
    return spaced[0].replace(" ", "") + text[spaced.end() :] if spaced else text


def _join_thousands(text: str) -> str:
    """Takes the commas out of `1,200`, but not out of `(1,200)` or `1,200,30`: in brackets and lists they separate."""
    grouping, brackets = [], []  # brackets: for each that is open, whether commas separate in it
    for position, character in enumerate(text):
        if character in "([{":
            brackets.append(character != "{" or not re.match(r"[A-Za-z}\]^]", text[position - 1 : position]))
        elif character in ")]}" and brackets:
            brackets.pop()
        grouping.append(not any(brackets))
    commas = sum(character == "," and groups for character, groups in zip(text, grouping, strict=True))
    numbers = [match for match in _THOUSANDS.finditer(text) if grouping[match.start()]]
    if sum(match[0].count(",") for match in numbers) == commas:
        for match in reversed(numbers):
            text = text[: match.start()] + match[0].replace(",", "") + text[match.end() :]
    return text


def split_unit(text: str) -> tuple[str, str]:
    """A tidy text without its unit, and the unit; the unit is empty where the number is not followed by a known one."""
    if text.endswith("°") and not re.search("sin|cos|tan|cot|sec|csc", text):
        return text[:-1].strip(), "°"
    match = _BEFORE_UNIT.fullmatch(text)
    if match is None or not re.search("[0-9π]", match[1]):
        return text, ""
    unit = re.sub(r"[ {}]*\^[ {}]*[23][ }]*", " ", match[3]).strip()
    return (match[1], match[3]) if _is_unit(unit, apart=bool(match[2])) else (text, "")


def _is_unit(text: str, apart: bool) -> bool:
    """Whether letters after a number are a unit; apart: whether a space stands before them."""
    text = re.sub(r" ?/ ?", " per ", _AFTER_UNIT.sub("", text.rstrip(".")))
    words, _, rate = re.sub(r"^(?:per|(?:square|cubic|sq|cu)\b\.?) ", "", text).partition(" per ")
    if not rate:
        words, _, rate = re.sub(" an? ", " a ", words).partition(" a ")
        if rate and not _is_known(rate, apart=True):
            return False
    if rate and (" " in rate or _CHANGES.fullmatch(rate)):
        return False
    nouns = words.lower().split()
    if len(nouns) == 1 and _is_known(words, apart):
        return True
    plural = _PLURAL.fullmatch(nouns[-1]) if nouns else None
    return apart and plural is not None and len(nouns) <= 2 and not any(map(_CHANGES.fullmatch, nouns))


def _is_known(word: str, apart: bool) -> bool:
    return word.lower().removesuffix("s") in _KNOWN or word.lower() in _KNOWN or (apart and word in _KNOWN_APART)


def plain_number(text: str) -> Fraction | None:
    """The exact value of a plain number without a unit: an integer, decimal, fraction or mixed number; else None."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    over, under = int(match["over"] or 0), int(match["under"] or 1)
    if under == 0 or (match["whole"] and not 0 < over < under):
        return None
    value = Fraction(over, under) if match["over"] else Fraction(match["decimal"])
    value = (value + int(match["whole"] or 0)) * _SCALES.get(match["scale"], 1)
    return -value if match["sign"] == "-" else value


def number_key(value: Fraction) -> str:
    """The key of a number: an integer as it is, a fraction as a decimal if that ends, else as `1/3`.

    A number of more than 600 digits is written in hexadecimal, which takes no time.
    """
    over, under = value.as_integer_ratio()
    if max(abs(over), under).bit_length() > 2000:
        return f"{over:x}/{under:x} hexadecimal"
    twos = (under & -under).bit_length() - 1
    fives = next(count for count in range(2000) if under % 5 ** (count + 1))
    digits = max(twos, fives)
    if under == 1 or under != 2**twos * 5**fives:
        return str(value)
    text = f"{abs(over) * 10**digits // under:0{digits + 1}}"
    return f"{'-' * (over < 0)}{text[:-digits]}.{text[-digits:]}"
