"""The text of a condition to its parts: Python's parser finds the structure, a whitelist of nodes is walked, nothing is run."""

from __future__ import annotations

import ast
from dataclasses import replace
from functools import lru_cache
from typing import NoReturn, get_args

from ..schema.suggest import did_you_mean
from .attributes import LATER_ROOTS, ROOTS, Kind, Path, Prepared, items, prepare
from .conditions import (
    All,
    Attribute,
    Comparison,
    Condition,
    Constant,
    Exists,
    Length,
    Membership,
    Node,
    Not,
    Op,
    Some,
    StartsWith,
    Term,
    Truth,
)
from .tokens import MAX_DEPTH, MAX_LENGTH, ConditionError, Token, Wrong, blanked, tokens

FUNCTIONS = ("exists", "len", "startswith")
_CONSTANTS: dict[str, Prepared] = {
    "true": (Kind.BOOL, True),
    "True": (Kind.BOOL, True),
    "false": (Kind.BOOL, False),
    "False": (Kind.BOOL, False),
    "null": (Kind.NULL, None),
    "None": (Kind.NULL, None),
}
_OPS: dict[type[ast.cmpop], Op] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
_COMPARES = f"expected a comparison ({', '.join(get_args(Op))}, in, not in), exists(x) or startswith(x, 'text')"
_FORBIDDEN: dict[type[ast.AST], tuple[str, str, str]] = {
    ast.Subscript: ("an index", "a condition reads attributes by their names", "write args.x.y for what is nested"),
    ast.Tuple: ("a list in parentheses", "", "write it with [ ]"),
    ast.List: ("a list", "lists stand on the right of `in`", ""),
    ast.Compare: ("a comparison inside of a comparison", "", "join comparisons with `and`"),
    ast.BoolOp: ("`and` or `or` inside of a comparison", "", "write the comparison out on both sides"),
    ast.UnaryOp: ("`not` or - inside of a comparison", "", "put `not` in front of the whole comparison"),
}


@lru_cache(maxsize=4096)
def parse(text: str) -> Condition:
    """The condition that `text` writes; raises `ConditionError` with what is wrong, each at its place in the text."""
    flush = text.lstrip(" \t\n")  # Python's parser takes blanks in front for an indent
    lead = len(text) - len(flush)
    try:
        return replace(_parse(flush), text=text, lead=lead)
    except ConditionError as error:
        raise ConditionError([replace(w, at=w.at + lead) for w in error.wrong]) from None


def _parse(text: str) -> Condition:
    found = tokens(text)
    try:
        tree = ast.parse(blanked(text, found), mode="eval")
    except SyntaxError as error:
        raise ConditionError([_syntax(found, error)]) from None
    walk = _Walk(text, found)
    root = walk.boolean(tree.body, 0)
    if walk.wrong or root is None:
        raise ConditionError(walk.wrong)
    first: dict[Path, Attribute] = {}
    for attribute in walk.attributes:
        first.setdefault(attribute.path, attribute)
    return Condition(text, root, tuple(first.values()))


def _syntax(found: list[Token], error: SyntaxError) -> Wrong:
    """Python's place, our words (Python's differ between its versions); 0 means the end."""
    at = (error.offset or MAX_LENGTH + 1) - 1
    near = next((t for t in found if t.at + len(t.text) > at), None)
    if near is None:
        return Wrong(found[-1].at, f"a syntax error after {found[-1].text!r}: something is missing")
    return Wrong(near.at, f"a syntax error at {near.text!r}")


class _Stop(Exception):
    """A part is wrong (and noted); its siblings are still looked at."""


class _Walk:
    """Over the parser's tree, with the real words from the tokens."""

    def __init__(self, text: str, found: list[Token]) -> None:
        self.text = text
        self.at = {t.at: t for t in found}
        self.wrong: list[Wrong] = []
        self.attributes: list[Attribute] = []

    def fail(self, at: int, found: str, allowed: str = "", hint: str = "") -> NoReturn:
        self.wrong.append(Wrong(at, found, allowed, hint))
        raise _Stop

    def boolean(self, node: ast.expr, depth: int) -> Node | None:
        try:
            if depth > MAX_DEPTH:
                self.fail(node.col_offset, f"nested deeper than {MAX_DEPTH} levels")
            return self._boolean(node, depth)
        except _Stop:
            return None

    def _boolean(self, node: ast.expr, depth: int) -> Node | None:
        if isinstance(node, ast.BoolOp):
            parts = [self.boolean(value, depth + 1) for value in node.values]
            good = tuple(part for part in parts if part is not None)
            if len(good) < len(parts):
                return None
            return All(good) if isinstance(node.op, ast.And) else Some(good)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            inner = self.boolean(node.operand, depth + 1)
            return None if inner is None else Not(inner)
        if isinstance(node, ast.Compare):
            return self.compare(node)
        if isinstance(node, ast.Call):
            return self.function(node)
        if isinstance(node, (ast.Name, ast.Attribute)):
            term = self.name(node)
            if isinstance(term, Attribute):
                return Truth(term)
        return self.fail(node.col_offset, f"{self.words(node)} decides nothing", _COMPARES)

    def compare(self, node: ast.Compare) -> Node:
        operands = [node.left, *node.comparators]
        parts = [self.pair(left, op, right) for left, op, right in zip(operands, node.ops, operands[1:], strict=False)]
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def pair(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Node:
        needle = self.term(left)
        if isinstance(op, (ast.In, ast.NotIn)):
            inside: Node = self.membership(needle, right)
            return Not(inside) if isinstance(op, ast.NotIn) else inside
        word = _OPS.get(type(op))
        if word is None:
            self.fail(left.col_offset, "this comparison is not known", _COMPARES)
        other = self.term(right)
        if isinstance(needle, Constant) and isinstance(other, Constant):
            self.fail(left.col_offset, "two constants are compared", "a condition looks at the call")
        for term in (needle, other):
            if word not in ("==", "!=") and isinstance(term, Constant) and term.prepared[0] not in (Kind.NUMBER, Kind.TEXT):
                self.fail(term.at, f"{word} with {self.at[term.at].text}", "only numbers and texts have an order")
        return Comparison(needle, word, other)

    def membership(self, needle: Term, right: ast.expr) -> Membership:
        if isinstance(right, ast.List):
            if not right.elts:
                self.fail(right.col_offset, "an empty list", "nothing is in it")
            constants = tuple(self.constant(element) for element in right.elts)
            if isinstance(needle, Constant):
                self.fail(needle.at, "a constant in a list of constants", "a condition looks at the call")
            return Membership(needle, items([c.prepared for c in constants], literal=True), constants)
        if isinstance(right, ast.Tuple):
            self.fail(right.col_offset, *_FORBIDDEN[ast.Tuple])
        options = self.term(right)
        if not isinstance(options, Attribute):
            self.fail(right.col_offset, f"`in` {self.words(right)}", "expected a list, [...], or an attribute")
        return Membership(needle, options)

    def term(self, node: ast.expr) -> Term:
        if isinstance(node, (ast.Name, ast.Attribute)):
            return self.name(node)
        if isinstance(node, ast.Constant):
            token = self.at[node.col_offset]
            if token.kind == "sign":  # `...`, which Python takes for a constant
                self.fail(node.col_offset, "an ellipsis (...)", "expected a number, a text, true, false or null")
            return Constant(prepare(token.value), node.col_offset)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
            token = self.at[node.operand.col_offset]
            if token.kind == "number" and not isinstance(token.value, str):
                return Constant(prepare(-token.value), node.col_offset)
        if isinstance(node, ast.Call):
            word = self.called(node)
            if word == "len":
                return Length(self.argument(node, word), node.col_offset)
            self.fail(node.col_offset, f"{word}() inside of a comparison", f"{word} is true or false by itself")
        kind = next((k for k in _FORBIDDEN if isinstance(node, k)), None)
        return self.fail(node.col_offset, *(_FORBIDDEN[kind] if kind else ("this has no place in a condition", _COMPARES, "")))

    def constant(self, node: ast.expr) -> Constant:
        term = self.term(node)
        if not isinstance(term, Constant):
            self.fail(node.col_offset, f"{self.words(node)} in a list", "a list holds constants", "quote it if it is a text")
        return term

    def function(self, node: ast.Call) -> Node:
        word = self.called(node)
        if word == "exists":
            return Exists(self.argument(node, word))
        if word == "startswith":
            of = self.argument(node, word)
            prefix = self.constant(node.args[1])
            if prefix.prepared[0] is not Kind.TEXT:
                self.fail(prefix.at, "startswith with something else than a text", "expected startswith(x, 'text')")
            return StartsWith(of, prefix)
        return self.fail(node.col_offset, "len() decides nothing", "expected a comparison such as len(x) <= 10")

    def called(self, node: ast.Call) -> str:
        """The name of the function; only the known ones are no mistake."""
        word = self.at[node.func.col_offset].text if isinstance(node.func, ast.Name) else ""
        if word in FUNCTIONS:
            return word
        at = node.func.col_offset
        what = f"a call ({word})" if word else "a call"
        allowed = f"the only functions are {', '.join(FUNCTIONS)}"
        return self.fail(at, what, allowed, did_you_mean(word, FUNCTIONS) if word else "")

    def argument(self, node: ast.Call, word: str) -> Attribute:
        """The attribute that a function looks at."""
        wanted = 2 if word == "startswith" else 1
        form = "startswith(x, 'text')" if wanted == 2 else f"{word}(x)"
        if len(node.args) != wanted or node.keywords:
            self.fail(node.col_offset, f"{word} takes {wanted} argument{'s' * (wanted > 1)}", f"expected {form}")
        first = node.args[0]
        term = self.term(first)
        if not isinstance(term, Attribute):
            self.fail(first.col_offset, f"{word} of {self.words(first)}", f"expected {form}, x an attribute")
        return term

    def name(self, node: ast.Name | ast.Attribute) -> Attribute | Constant:
        """A dotted name; ``true``, ``false`` and ``null`` are constants."""
        path: list[str] = []
        inner: ast.expr = node
        while isinstance(inner, ast.Attribute):
            path.append(self._last_word(inner))
            inner = inner.value
        if not isinstance(inner, ast.Name):
            self.fail(node.col_offset, "an attribute of a value", "only names have parts: args.address.city")
        word = self.at[inner.col_offset].text
        if word in _CONSTANTS:
            if path:
                self.fail(node.col_offset, f"an attribute of {word}", "only names have parts: args.address.city")
            return Constant(_CONSTANTS[word], inner.col_offset)
        full = (word, *reversed(path))
        self._known(full, inner.col_offset)
        attribute = Attribute(full, inner.col_offset)
        self.attributes.append(attribute)
        return attribute

    def _last_word(self, node: ast.Attribute) -> str:
        """The word after the last dot; blanks may stand around it."""
        start = max(at for at in self.at if at < (node.end_col_offset or 0))
        return self.at[start].text

    def _known(self, path: Path, at: int) -> None:
        first = path[0]
        if first in LATER_ROOTS and len(path) > 1:
            self.fail(at, f"{first}: not supported by this version", f"expected one of {', '.join(ROOTS)}")
        if first not in ROOTS:
            return
        inside = ROOTS[first]
        if len(path) == 1:
            example = f"{first}.{next(iter(inside))}" if inside else f"{first}.x"
            self.fail(at, f"{first!r} is a group of attributes", "", f"write {example}, or args.{first} for an argument")
        if inside is not None and (path[1] not in inside or len(path) > 2):
            name = ".".join(path[1:])
            allowed = f"expected one of {', '.join(inside)}"
            self.fail(at, f"{first} has no {name!r}", allowed, did_you_mean(name, inside))

    def words(self, node: ast.expr) -> str:
        """A part of the condition as it was written."""
        text = " ".join(self.text[node.col_offset : node.end_col_offset].split())
        return repr(text if len(text) <= 40 else f"{text[:39]}…")
