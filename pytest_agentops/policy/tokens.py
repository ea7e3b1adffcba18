"""The signs of a condition. Whatever is not known here never reaches Python's parser.

The parser is then given a text of the same length in which each name, number and string is blanked out: it only finds the
structure. So its quirks with literals, escapes, look-alike letters and keywords do not matter.
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, TypeAlias

MAX_LENGTH = 1000
MAX_DEPTH = 20
"""Parentheses, lists and `not` within each other."""
MAX_DIGITS = 100
MAX_EXPONENT = 1000

Kind: TypeAlias = Literal["name", "number", "text", "sign"]

_TOKEN = re.compile(
    r"""(?P<space>[ \t\n]+)
      | (?P<number>[0-9][0-9A-Za-z_.]*(?:(?<=[eE])[+-][0-9A-Za-z_.]*)?)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<text>'(?:[^'\\\n]|\\['"\\])*'|"(?:[^"\\\n]|\\['"\\])*")
      | (?P<sign>\*\*|//|:=|==|!=|<=|>=|<>|<<|>>|&&|\|\||[<>()\[\],.\-+*/%@&|^~=!{}:;?])""",
    re.VERBOSE,
)
_NUMBER = re.compile(r"(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_GOOD_SIGNS = frozenset(["==", "!=", "<=", ">=", "<", ">", "(", ")", "[", "]", ",", ".", "-"])
_WORDS = frozenset(["and", "or", "not", "in"])
_CONSTANTS = frozenset(["True", "False", "None"])
_ARITHMETIC = "a condition compares; it does not calculate"
_BAD_SIGNS = {
    "**": ("a power (**)", _ARITHMETIC, ""),
    "+": ("arithmetic (+)", _ARITHMETIC, ""),
    "*": ("arithmetic (*)", _ARITHMETIC, ""),
    "/": ("arithmetic (/)", _ARITHMETIC, ""),
    "//": ("arithmetic (//)", _ARITHMETIC, ""),
    "%": ("arithmetic (%)", _ARITHMETIC, ""),
    "=": ("a single =", "", "write == to compare"),
    ":=": ("an assignment (:=)", "", "write == to compare"),
    "&&": ("&&", "", "write `and`"),
    "&": ("&", "", "write `and`"),
    "||": ("||", "", "write `or`"),
    "|": ("|", "", "write `or`"),
    "!": ("!", "", "write `not`"),
    "<>": ("<>", "", "write !="),
    "{": ("a {", "", "lists are written with [ ]"),
}
_BAD_WORDS = {
    "is": ("`is`", "", "write =="),
    "for": ("a comprehension (for)", "a condition has no loops", ""),
    "lambda": ("a lambda", "a condition defines nothing", ""),
    "if": ("`if` inside of a condition", "", "write two rules, or `and` and `or`"),
    "else": ("`else` inside of a condition", "", "write two rules, or `and` and `or`"),
    "await": ("`await`", "a condition calls nothing", ""),
    "yield": ("`yield`", "a condition calls nothing", ""),
    "import": ("an import", "a condition loads nothing", ""),
}


@dataclass(frozen=True, slots=True)
class Wrong:
    """One mistake in a condition; `at` is the place in its text."""

    at: int
    found: str
    allowed: str = ""
    hint: str = ""


class ConditionError(ValueError):
    """A text that is no condition."""

    def __init__(self, wrong: list[Wrong]) -> None:
        self.wrong = sorted(wrong, key=lambda w: w.at)
        super().__init__("; ".join(w.found for w in self.wrong))


@dataclass(frozen=True, slots=True)
class Token:
    """One sign; `value` is what a number or a string means, for the others their text."""

    kind: Kind
    at: int
    text: str
    value: str | Decimal


def tokens(text: str) -> list[Token]:
    """The signs of `text` in order; raises `ConditionError` for the first that has no place in a condition."""
    if len(text) > MAX_LENGTH:
        raise _wrong(MAX_LENGTH, f"a condition of {len(text)} characters", f"at most {MAX_LENGTH}", "write several rules")
    out: list[Token] = []
    opened: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _odd(text, at)
        kind, word = match.lastgroup, match.group()
        if kind != "space":
            token = _token(kind, word, at, out)
            out.append(token)
            _nest(token, opened)
        at = match.end()
    if opened:
        raise _wrong(opened[-1].at, f"a {opened[-1].text} that is not closed")
    if not out:
        raise _wrong(0, "an empty condition", "", "leave `if` out for a rule that always applies")
    return out


def blanked(text: str, found: list[Token]) -> str:
    """`text` as Python's parser gets it: the same length, every word of ours replaced by a harmless one."""
    out = [" "] * len(text)
    for before, token in zip([None, *found], found, strict=False):
        width = len(token.text)
        word = token.text
        if token.kind == "number":
            word = "1" * width
        elif token.kind == "text":
            word = f"'{'x' * (width - 2)}'"
        elif token.kind == "name" and (word not in _WORDS or (before is not None and before.text == ".")):
            word = "x" * width
        out[token.at : token.at + width] = word
    return "".join(out)


def _token(kind: str | None, word: str, at: int, before: list[Token]) -> Token:
    last = before[-1] if before else None
    if last is not None and last.kind == "text" and kind == "text":
        raise _wrong(at, "two strings side by side", "", "put a comma, `and` or `or` between them")
    if kind == "number":
        return Token("number", at, word, _number(word, at))
    if kind == "text":
        if last is not None and last.kind == "name" and last.at + len(last.text) == at:
            raise _wrong(last.at, f"a string with the prefix {last.text}", "strings are plain: 'text'")
        return Token("text", at, word, re.sub(r"\\(.)", r"\1", word[1:-1]))
    if kind == "name":
        return Token("name", at, word, _name(word, at, last))
    if word not in _GOOD_SIGNS:
        raise _wrong(at, *_BAD_SIGNS.get(word, (f"the sign {word}", "it means nothing in a condition", "")))
    if word == "-" and last is not None and (last.kind != "sign" or last.text in ")]") and last.text not in _WORDS:
        raise _wrong(at, "arithmetic (-)", _ARITHMETIC)
    return Token("sign", at, word, word)


def _number(word: str, at: int) -> Decimal:
    if not _NUMBER.fullmatch(word):
        raise _wrong(at, f"{word[:40]!r} is no JSON number", "", "write digits without underscores, such as 1000 or 0.5")
    digits, _, exponent = word.lower().partition("e")
    if len(digits) > MAX_DIGITS or (exponent and (len(exponent) > 5 or abs(int(exponent)) > MAX_EXPONENT)):
        raise _wrong(at, f"the number {word[:20]}... is out of all proportion")
    return Decimal(word)


def _name(word: str, at: int, last: Token | None) -> str:
    inner = last is not None and last.text == "." and last.kind == "sign"
    if word.startswith("__"):
        raise _wrong(at, f"the name {word!r}", "names with two underscores in front are Python's own")
    if inner or not keyword.iskeyword(word) or word in _WORDS or word in _CONSTANTS:
        return word
    raise _wrong(at, *_BAD_WORDS.get(word, (f"the word {word!r}", "Python keeps it for itself", f"write args.{word}")))


def _nest(token: Token, opened: list[Token]) -> None:
    if token.kind != "sign":
        return
    if token.text in "([":
        opened.append(token)
        if len(opened) > MAX_DEPTH:
            raise _wrong(token.at, f"nested deeper than {MAX_DEPTH} levels")
    elif token.text in ")]":
        if not opened or opened[-1].text != {")": "(", "]": "["}[token.text]:
            raise _wrong(token.at, f"a {token.text} with nothing to close")
        opened.pop()


def _odd(text: str, at: int) -> ConditionError:
    char = text[at]
    if char in "'\"":
        rest = text[at + 1 :].split(char)[0]
        if "\\" in rest:
            where = at + 1 + rest.index("\\")
            return _wrong(where, "a backslash in a string", r"only \\, \' and \" mean something", "write the character itself")
        return _wrong(at, "a string that is not closed")
    if char.isascii():
        return _wrong(at, f"the character {char!r}", "it means nothing in a condition")
    name = unicodedata.name(char, "no name")
    plain = unicodedata.normalize("NFKC", char)
    hint = f"did you mean {plain!r}?" if plain.isascii() and plain.strip() else ""
    return _wrong(at, f"the character U+{ord(char):04X} ({name})", "outside of strings a condition is plain ASCII", hint)


def _wrong(at: int, found: str, allowed: str = "", hint: str = "") -> ConditionError:
    return ConditionError([Wrong(at, found, allowed, hint)])
