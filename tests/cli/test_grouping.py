"""Ids, and conversations of any shape."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pytest_agentops.cli.importer.grouping import slug, slugs
from pytest_agentops.cli.importer.lines import Malformed, parse
from pytest_agentops.schema.values import dumps

ids = st.lists(
    st.text(st.sampled_from("aAbB1-_ /é"), min_size=1, max_size=4) | st.text("ab", min_size=78, max_size=84), max_size=12
)


@given(ids)
def test_every_id_gets_its_own_slug(sources: list[str]) -> None:
    found = slugs(sources)
    assert set(found) == set(sources)
    assert len(set(found.values())) == len(found)
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,79}", new) for new in found.values())
    assert found == slugs([*sources, *sources]), "a repeated id changes nothing"


@given(ids)
def test_a_slug_keeps_its_name(sources: list[str]) -> None:
    found = slugs(sources)
    assert all(found[source] == source for source in sources if slug(source) == source)


scalars = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "user", "assistant", "tool", "c1", "{}", "[1"])
keys = st.sampled_from(
    [
        "id",
        "role",
        "content",
        "tool_calls",
        "function",
        "name",
        "arguments",
        "tool_call_id",
        "error",
        "usage",
        "cost_usd",
        "type",
        "text",
    ]
)
shapes = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5), max_leaves=25
)
roles = st.sampled_from(["user", "assistant", "tool", "system"])
likely = st.fixed_dictionaries(
    {"role": roles}, optional={"content": shapes, "tool_calls": shapes, "tool_call_id": shapes, "usage": shapes}
)


@given(
    shapes | st.lists(likely, max_size=4),
    st.dictionaries(st.sampled_from(["tools", "state", "case", "trial", "outcome"]), shapes),
)
def test_a_line_of_any_shape_is_read_or_refused_with_its_place(messages: Any, more: dict[str, Any]) -> None:
    line = refused = None
    try:
        line = parse(3, dumps({"id": "x", "messages": messages, **more}).encode())
    except Malformed as why:
        refused = str(why)
    if line is None:
        assert re.match(r"(messages|tools|state|case|trial|outcome)\b.*: ", refused or "")
    else:
        asked = [call for message in line.transcript.messages for call in message.calls]
        assert [a.asked for a in line.answered] == asked, "every call has one answer, in the order of issue"
