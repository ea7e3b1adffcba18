"""JSON text as a value and the style it was written in; together they give the very text back."""

from __future__ import annotations

import json
from functools import lru_cache

from ...schema.values import Json, JsonObject

STYLES = {
    "compact": "no blanks and no lines: what is meant where no style is said",
    "spaced": "blanks after commas and colons",
    "indent-1": "one line a value, indented by 1 blank",
    "indent-2": "one line a value, indented by 2 blanks",
    "indent-4": "one line a value, indented by 4 blanks",
    "newline": "a newline at the end",
    "html": "<, > and & as \\uXXXX",
    "slash": "/ as \\/",
    "ascii": "all but ASCII as \\uXXXX",
    "tight": "a stream without the blank after data:",
    "crlf": "a stream whose lines end in CR LF",
}
"""The words of ``style``."""

MAX_DEPTH = 80
"""YAML's reader stops at 100 levels, the file's own among them."""
_MAX_DIGITS = 1000
_HTML = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def json_form(text: str) -> JsonObject | None:
    """``json`` and, where it is not compact, ``style``; None for what these words cannot give back."""
    try:
        value = json.loads(text, parse_int=_int)
        if _is_deep(value):
            return None
        style = _style(text, value)
    except (ValueError, RecursionError):  # no JSON; half a character; NaN, which the encoder refuses
        return None
    if style is None:
        return None
    return {"json": value, "style": style} if style else {"json": value}


def _int(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise ValueError("more digits than YAML's reader takes")
    return int(text)


def _is_deep(value: Json) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [x for v in level if isinstance(v, (dict, list)) for x in (v.values() if isinstance(v, dict) else v)]
        if not level:
            return False
    return True


def _style(text: str, value: Json) -> str | None:
    """The fewest words that make `value` to `text`, None where none do; raises `ValueError` for half a character."""
    dump_json(value, "").encode()
    if dump_json(value, "") == text:
        return ""
    layouts = ["", "spaced"]
    if text[1:2] == "\n":
        layouts = [f"indent-{len(text[2:]) - len(text[2:].lstrip(' '))}"]
    newline = " newline" if text.endswith("\n") else ""
    escapes = [""]
    for word, mark in (("html", "\\u00"), ("slash", "\\/"), ("ascii", "\\u")):
        if mark in text:
            escapes += [f"{words} {word}" for words in escapes]
    for layout in layouts:
        if layout in STYLES or not layout:
            for words in escapes:
                style = f"{layout}{newline}{words}".strip()
                if dump_json(value, style) == text:
                    return style
    return None


def dump_json(value: Json, style: str) -> str:
    """The JSON text of `value` in a style."""
    text = _encoder(style).encode(value)
    if not style:
        return text
    words = style.split()
    if "html" in words:
        for char, escaped in _HTML.items():
            text = text.replace(char, escaped)
    if "slash" in words:
        text = text.replace("/", "\\/")
    return f"{text}\n" if "newline" in words else text


@lru_cache
def _encoder(style: str) -> json.JSONEncoder:
    words = style.split()
    indent = next((int(word[7:]) for word in words if word.startswith("indent-")), None)
    blank = " " if "spaced" in words else ""
    return json.JSONEncoder(
        ensure_ascii="ascii" in words,
        allow_nan=False,
        indent=indent,
        separators=(f",{blank}", ": " if blank or indent is not None else ":"),
    )
