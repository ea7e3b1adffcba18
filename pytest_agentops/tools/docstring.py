"""What a docstring says of a function and of its arguments (Google, NumPy and Sphinx style)."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

_ARGS = ("args", "arguments", "parameters", "params", "keyword args", "keyword arguments", "other parameters")
_OTHERS = (
    "returns",
    "return",
    "yields",
    "raises",
    "example",
    "examples",
    "note",
    "notes",
    "see also",
    "references",
    "warnings",
    "warns",
    "attributes",
    "todo",
)
_GOOGLE = re.compile(r"([A-Za-z ]+):\s*")
_GOOGLE_ITEM = re.compile(r"\*{0,2}(\w+)\s*(?:\(.*?\))?\s*:\s*(.*)")
_NUMPY_ITEM = re.compile(r"\*{0,2}(\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?::.*)?")
_SPHINX = re.compile(r":(\w+)([^:]*):\s*(.*)")


def describe(text: str | None) -> tuple[str, dict[str, str]]:
    """The description (all that stands before the first section) and the text of each argument."""
    lines = inspect.cleandoc(text or "").splitlines()
    described: list[str] = []
    args: dict[str, str] = {}
    for kind, title, body in _sections(lines):
        if kind == "text":
            described += body
        elif kind == "sphinx":
            args.update(_sphinx_arg(title, body))
        elif title in _ARGS:
            args.update(_google_args(body) if kind == "google" else _numpy_args(body))
    return "\n".join(described).strip(), args


def _sections(lines: list[str]) -> Iterator[tuple[str, str, list[str]]]:
    """The docstring cut at its section heads: (style, title in small letters, lines)."""
    kind, title, body = "text", "", list[str]()
    i = 0
    while i < len(lines):
        head = _head(lines, i)
        if head is not None:
            yield kind, title, body
            kind, title, body, i = head
        elif kind == "google" and lines[i].strip() and not lines[i].startswith(" "):
            yield kind, title, body  # text at the margin ends a Google section
            kind, title, body = "ended", "", []
        else:
            body.append(lines[i])
            i += 1
    yield kind, title, body


def _head(lines: list[str], i: int) -> tuple[str, str, list[str], int] | None:
    line = lines[i].rstrip()
    name = line.strip().lower()
    if name in (*_ARGS, *_OTHERS) and i + 1 < len(lines) and re.fullmatch(r"\s*-{3,}\s*", lines[i + 1]):
        return "numpy", name, [], i + 2
    google = _GOOGLE.fullmatch(line)
    if google and google.group(1).lower() in (*_ARGS, *_OTHERS):
        return "google", google.group(1).lower(), [], i + 1
    sphinx = _SPHINX.match(line)
    if sphinx:
        return "sphinx", f"{sphinx.group(1)} {sphinx.group(2).strip()}", [sphinx.group(3)], i + 1
    return None


def _google_args(body: list[str]) -> dict[str, str]:
    margin = min((_indent(line) for line in body if line.strip()), default=0)
    out: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in body:
        item = _GOOGLE_ITEM.fullmatch(line.strip()) if _indent(line) == margin else None
        if item:
            current = out.setdefault(item.group(1), [item.group(2)])
        elif current is not None and line.strip():
            current.append(line.strip())
    return {name: " ".join(parts).strip() for name, parts in out.items()}


def _numpy_args(body: list[str]) -> dict[str, str]:
    out: dict[str, list[str]] = {}
    names: list[str] = []
    for line in body:
        item = _NUMPY_ITEM.fullmatch(line.rstrip()) if line[:1].strip() else None
        if item:
            names = [n.strip(" *") for n in item.group(1).split(",")]
        elif line.strip():
            for name in names:
                out.setdefault(name, []).append(line.strip())
    return {name: " ".join(parts) for name, parts in out.items()}


def _sphinx_arg(title: str, body: list[str]) -> dict[str, str]:
    word, _, rest = title.partition(" ")
    if word not in ("param", "parameter", "arg", "argument", "key", "keyword") or not rest:
        return {}
    return {rest.split()[-1].lstrip("*"): " ".join(line.strip() for line in body if line.strip())}


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
