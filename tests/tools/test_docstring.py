"""Descriptions from docstrings."""

from __future__ import annotations

import pytest

from pytest_agentops.tools.docstring import describe

GOOGLE = """Search the file.

    Two paragraphs
    are kept.

    Args:
        query (str, optional): What to look for: words,
            in any order.
        limit: At most so many.
        **options: More.

    Returns:
        list: What was found.
    """

NUMPY = """Search the file.

    Two paragraphs
    are kept.

    Parameters
    ----------
    query : str
        What to look for: words,
        in any order.
    limit, offset : int
        At most so many.

    Returns
    -------
    list
        What was found.
    """

SPHINX = """Search the file.

    Two paragraphs
    are kept.

    :param query: What to look for: words,
        in any order.
    :param int limit: At most so many.
    :type query: str
    :returns: What was found.
    """

TEXT = "Search the file.\n\nTwo paragraphs\nare kept."
QUERY = "What to look for: words, in any order."


@pytest.mark.parametrize(
    ("doc", "args"),
    [
        (GOOGLE, {"query": QUERY, "limit": "At most so many.", "options": "More."}),
        (NUMPY, {"query": QUERY, "limit": "At most so many.", "offset": "At most so many."}),
        (SPHINX, {"query": QUERY, "limit": "At most so many."}),
    ],
    ids=["google", "numpy", "sphinx"],
)
def test_three_styles(doc: str, args: dict[str, str]):
    assert describe(doc) == (TEXT, args)


@pytest.mark.parametrize("doc", [None, "", "   \n"])
def test_no_docstring(doc: str | None):
    assert describe(doc) == ("", {})


def test_what_is_no_section_stays_text():
    text = "Pay it back.\n\nImportant: only once.\nRules:\n    - none\nSee http://x.y/z:"
    assert describe(text) == (text, {})


def test_a_section_of_nothing_and_text_behind_it():
    assert describe("Do it.\n\nArgs:\n\nReturns:\n    x") == ("Do it.", {})
    assert describe("Do it.\n\nArgs:\n    a: One.\nThis line is nobody's.") == ("Do it.", {"a": "One."})
