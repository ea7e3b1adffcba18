"""What the YAML parser complains about, in words for the person who wrote the file."""

from __future__ import annotations

from typing import Any

from ..errors import Mistake

_WORDS: tuple[tuple[str, str, str], ...] = (
    # (part of the parser's words, what was found, what helps); the first that fits is taken
    ("found character that cannot start any token", "", "quote the text if it begins with this character"),
    ("found unexpected end of stream", "the file ends inside a quoted text", "close the quote"),
    ("mapping values are not allowed in this context", "a second ': ' on one line", "quote the text, or start a new line"),
    (
        "could not find expected ':'",
        "a line that is neither 'key: value' nor part of a text",
        "add ': ', or indent it under its key",
    ),
    ("did not find expected key", "a line that fits no key here", "check the indentation against the lines above"),
    ("did not find expected '-' indicator", "a line that is no list item here", "begin it with '- ', or check its indentation"),
    ("did not find expected ',' or '}'", "a { that is not closed, or a missing comma", "close it with }"),
    ("did not find expected ',' or ']'", "a [ that is not closed, or a missing comma", "close it with ]"),
    ("block sequence entries are not allowed", "a list item where no list can begin", "start the list on a line of its own"),
    ("found a tab character", "a tab", "indent with spaces"),
    ("found undefined tag handle", "a tag with an unknown prefix", "tags are not allowed: quote the value"),
    ("found unknown escape character", "an unknown escape in a double-quoted text", "double the backslash, or use single quotes"),
    ("found duplicate %", "a % directive", "plain YAML without directives"),
    ("while scanning a directive", "a % directive", "quote the text if it begins with %"),
    ("did not find expected <document start>", "text after the end of the document", "one document a file"),
)


def explain(file: str, text: str, error: Exception) -> Mistake:
    """The parser's error as a mistake with a place; it stops there, so what follows in the file was not looked at."""
    if isinstance(error, UnicodeEncodeError):
        return _mistake(file, text, error.start, "half of a character (a lone surrogate)", "valid Unicode")
    mark: Any = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:  # the reader's own error: a character that YAML does not allow
        return _character(file, text, error)
    problem = str(getattr(error, "problem", "") or error)
    context = str(getattr(error, "context", "") or "")
    line, col = mark.line, mark.column
    lines = text.splitlines() or [""]
    here = lines[line] if line < len(lines) else ""
    if "cannot start any token" in problem and here[col : col + 1] == "\t":
        return Mistake(file=file, line=line + 1, col=col + 1, found="a tab where YAML wants spaces", hint="indent with spaces")
    found, hint = next(((f, h) for words, f, h in _WORDS if words in problem or words in context), (problem, ""))
    if not found:
        found = f"the character {here[col : col + 1]!r} cannot begin a value"
    opened = getattr(error, "context_mark", None)
    if opened is not None and ("not closed" in found or "quoted text" in found):
        line, col = opened.line, opened.column  # where it was opened is where it must be cured
    return Mistake(file=file, line=line + 1, col=col + 1, found=f"not valid YAML: {found}", hint=hint)


def _character(file: str, text: str, error: Exception) -> Mistake:
    position = getattr(error, "position", 0)
    code = getattr(error, "character", None)
    offset = next((i for i, c in enumerate(text) if c in (code, chr(code) if isinstance(code, int) else None)), position)
    shown = f"U+{ord(text[offset]):04X}" if offset < len(text) else repr(code)
    return _mistake(file, text, offset, f"the control character {shown}", 'write it as an escape in double quotes ("\\u0007")')


def _mistake(file: str, text: str, offset: int, found: str, hint: str) -> Mistake:
    before = text[:offset]
    line = before.count("\n")
    col = offset - (before.rfind("\n") + 1)
    return Mistake(file=file, line=line + 1, col=col + 1, found=f"not valid YAML: {found}", hint=hint)
