"""Writing YAML: what `document.read` gives back as the same value, in the form that makes the smallest diffs.

Own code and not yaml's emitter: that one folds, escapes emoji, and quotes by the rules of another YAML.
"""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal

from .values import Json, NotJson

WIDTH = 100
"""Small mappings and lists stand on one line up to this column."""

_MAX_DEPTH = 100
_PLAIN = re.compile(
    r"[^\W_](?:[^\n:#]|:(?=[^\s])|(?<=\S)#)*|[_/$(](?:[^\n:#]|:(?=[^\s])|(?<=\S)#)*|\.{1,2}/(?:[^\n:#]|:(?=[^\s])|(?<=\S)#)*"
)
_FLOW_SPECIAL = re.compile(r"[,\[\]{}:?#&*!|>%@`\"']")
_WORD = re.compile(r"(?i:y|n|yes|no|on|off|true|false|null|~)")
_NUMBER_LIKE = re.compile(r"[-+]?\.?[0-9][0-9a-fA-FxXoO_.,:eE+-]*")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9:.]+(?:Z|[+-][0-9:]+)?)?")
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
_LITERAL_UNFIT = re.compile("\\A[ \t\n]|[ \t](?:\n|\\Z)|\n\n\\Z")
"""Texts that do not stand as a ``|`` block: where blanks would be lost, by YAML's rules or by an editor's."""
_LONG_KEY = 900
"""YAML wants keys over 1024 characters in another form."""


def write(value: Json) -> str:
    """The whole document, ending in one newline; raises `NotJson` for what JSON cannot say."""
    if isinstance(value, (dict, list)) and value:
        lines: list[str] = []
        _block(value, 0, lines, "$")
        return "\n".join(lines) + "\n"
    if isinstance(value, str) and _is_literal(value):
        return "\n".join(_literal(value, 2)) + "\n"
    return _inline(value, "$", flow=False) + "\n"


def _block(value: Json, indent: int, lines: list[str], path: str) -> None:
    """Appends the lines of a mapping or list that is not empty."""
    if (len(path) > 20 * _MAX_DEPTH and path.count(".") + path.count("[") > _MAX_DEPTH) or indent > 2 * _MAX_DEPTH:
        raise NotJson(path[:80] + "...", type(value).__name__, f"nested deeper than {_MAX_DEPTH} levels")
    pad = " " * indent
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise NotJson(path, type(key).__name__, f"the key {key!r} is no string")
            here = f"{path}.{key}"
            name = _text(key, here, flow=False)
            if len(name) > _LONG_KEY:
                lines.append(f"{pad}? {name}")
                name = ""
            _entry(f"{pad}{name}:", item, indent, lines, here, in_list=False)
    else:
        for i, item in enumerate(value):
            _entry(f"{pad}-", item, indent, lines, f"{path}[{i}]", in_list=True)


def _entry(head: str, item: Json, indent: int, lines: list[str], path: str, *, in_list: bool) -> None:
    """One key or list item: its value on the same line where it fits, below where it does not."""
    if isinstance(item, str) and _is_literal(item):
        first, *rest = _literal(item, indent + 2)
        lines.append(f"{head} {first}")
        lines.extend(rest)
        return
    if not isinstance(item, (dict, list)) or not item:
        lines.append(f"{head} {_inline(item, path, flow=False)}")
        return
    if _fits_one_line(item, in_list=in_list):
        text = _inline(item, path, flow=True)
        if len(head) + 1 + len(text) <= WIDTH:
            lines.append(f"{head} {text}")
            return
    if in_list:  # the first line of the item stands behind its dash
        below: list[str] = []
        _block(item, indent + 2, below, path)
        lines.append(f"{head} {below[0][indent + 2 :]}")
        lines.extend(below[1:])
        return
    lines.append(head)
    _block(item, indent if isinstance(item, list) else indent + 2, lines, path)


def _fits_one_line(item: Json, *, in_list: bool) -> bool:
    """Flat, or a mapping of flat ones; an item of a list only if it is flat, so that a list of records looks alike throughout."""
    children = item.values() if isinstance(item, dict) else item
    if all(_flat(child) for child in children):
        return True
    if in_list or not isinstance(item, dict):
        return False
    for child in children:
        if isinstance(child, (dict, list)):
            inner = child.values() if isinstance(child, dict) else child
            if not all(_flat(x) for x in inner):
                return False
        elif not _flat(child):
            return False
    return True


def _flat(value: Json) -> bool:
    return not isinstance(value, (dict, list)) and not (isinstance(value, str) and ("\n" in value or len(value) > WIDTH))


def _inline(value: Json, path: str, *, flow: bool) -> str:
    if isinstance(value, str):
        return _text(value, path, flow=flow)
    if isinstance(value, dict):
        return (
            "{"
            + ", ".join(f"{_text(k, path, flow=True)}: {_inline(v, f'{path}.{k}', flow=True)}" for k, v in value.items())
            + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(_inline(v, f"{path}[{i}]", flow=True) for i, v in enumerate(value)) + "]"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return repr(value)
    if isinstance(value, Decimal) and value.is_finite():
        return str(value)
    raise NotJson(path, type(value).__name__, f"{value!r} cannot be written as JSON")


def _text(text: str, path: str, *, flow: bool) -> str:
    """`text` plain where that is safe for us and for other readers of YAML, else in double quotes."""
    if not isinstance(text, str):
        raise NotJson(path, type(text).__name__, f"the key {text!r} is no string")
    if _is_plain(text, flow=flow):
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda m: _escape(m.group(), path), quoted)


def _is_plain(text: str, *, flow: bool) -> bool:
    if not text or text[-1] in " \t:" or _UNPRINTABLE.search(text) or "\t" in text or not _PLAIN.fullmatch(text):
        return False
    if flow and _FLOW_SPECIAL.search(text):
        return False
    return not _WORD.fullmatch(text) and (
        not _NUMBER_LIKE.fullmatch(text) or ((not flow or ":" not in text) and bool(_DATE.fullmatch(text)))
    )


def _escape(char: str, path: str) -> str:
    code = ord(char)
    if 0xD800 <= code <= 0xDFFF:
        raise NotJson(path, "str", "a text with half of a character (a lone surrogate) cannot be written")
    return f"\\u{code:04x}"


def _is_literal(text: str) -> bool:
    return "\n" in text and not _UNPRINTABLE.search(text) and not _LITERAL_UNFIT.search(text)


def _literal(text: str, indent: int) -> list[str]:
    """``|`` (ends in a newline) or ``|-`` (does not), then the lines."""
    pad = " " * indent
    body = text.removesuffix("\n")
    return ["|" if body != text else "|-", *(pad + line if line else "" for line in body.split("\n"))]
