"""Where a case says what: the lines that failures of checks name, and the places of code that cannot be had."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_agentops.loading.suite import LoadedSuite, load_suite
from pytest_agentops.schema.parsed import ParsedCache

SUITE = """\
version: 1
agent: ./agent.py:top
tools:
  - ./tools.py:one
  - ./tools.py:two
defaults:
  turns:
    - user: hello
      expect: {state: {"$.a": 1}}
  expect:
    steps: {max: 3}
    python: ./checks.py:shared
cases:
  - id: plain
  - id: talk
    turns:
      - hello
      - user: and now
        expect:
          calls: {include: [a]}
          said:
            contains: hi
      - {user: bye, expect: {}}
    expect:
      output: {contains: a}
      python: [./checks.py:own, ./checks.py:more]
  - id: own
    agent: {transcript: {}}
    tools: ./tools.py:mine
  - id: many
    matrix:
      agent:
        - ./agent.py:a
        - {id: b, value: ./agent.py:b}
      tools: [{id: t, value: [./tools.py:two, clock]}]
      expect:
        - id: strict
          value:
            output: {contains: b}
            python: ./checks.py:point
        - {id: short, value: {steps: 1}}
      expect.cost.usd.max: [1]
"""


@pytest.fixture(params=["read", "kept"])
def suite(request: pytest.FixtureRequest, tmp_path: Path) -> LoadedSuite:
    """The suite from its text, and from what the cache kept of it."""
    (tmp_path / "s.yaml").write_text(SUITE)
    cache = ParsedCache(tmp_path)
    loaded = load_suite(tmp_path / "s.yaml", tmp_path, cache=cache)
    if request.param == "read":
        return loaded
    assert cache.get("suite", "s.yaml", SUITE) is not None
    return load_suite(tmp_path / "s.yaml", tmp_path, cache=cache)


def line(text: str, after: str = "version") -> int:
    return SUITE[: SUITE.index(text, SUITE.index(after))].count("\n") + 1


def place(text: str, after: str = "version") -> tuple[int, int]:
    at = SUITE.index(text, SUITE.index(after))
    return line(text, after), at - SUITE.rfind("\n", 0, at)


def test_checks_of_turns_have_their_own_lines(suite: LoadedSuite) -> None:
    plain, talk = (v.case().lines for v in suite.variants[:2])
    assert plain == {
        "turns[0].expect.state": line("state"),
        "expect.steps": line("steps"),
        "expect.python": line("python: ./checks.py:shared"),
    }
    assert {key: at for key, at in talk.items() if key.startswith("turns[1]")} == {
        "turns[1].expect.calls": line("calls"),
        "turns[1].expect.said": line("said"),
    }
    assert talk["expect.output"] == line("output")


def test_checks_of_a_point_have_the_lines_of_the_point(suite: LoadedSuite) -> None:
    strict, short = (v.case().lines for v in suite.variants[3:5])
    assert strict["expect.output"] == line("output: {contains: b}")
    assert strict["expect.steps"] == line("steps")
    assert short["expect.steps"] == line("steps: 1")
    assert strict["expect.cost"] == short["expect.cost"] == line("expect.cost.usd.max")


def test_code_is_found_where_it_is_named(suite: LoadedSuite) -> None:
    plain, talk, own, *many = suite.variants
    assert plain.place("agent", "./agent.py:top") == place("agent:")
    assert plain.place("tools", "./tools.py:two") == (5, 5)
    assert plain.place("python", "./checks.py:shared") == place("python: ./checks.py:shared")
    assert talk.place("python", "./checks.py:more") == place("python: [")
    assert own.place("agent", "transcript") == place("agent:", "- id: own")
    assert own.place("tools", "./tools.py:mine") == place("tools:", "- id: own")
    assert own.place("python") == place("python: ./checks.py:shared")
    assert len(many) == 4
    first, second, *_, last = many
    assert first.place("agent", "./agent.py:a") == place("./agent.py:a")
    assert last.place("agent", "./agent.py:b") == place("{id: b")
    assert first.place("tools", "clock") == place("clock")
    assert first.place("python") == place("python: ./checks.py:point")
    assert second.place("python") == place("python: ./checks.py:shared")


def test_what_is_named_nowhere_is_placed_at_its_case(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("version: 1\ncases:\n  - {id: a, task: t}\n  - {id: b, task: t, agent: null}\n")
    one, two = load_suite(tmp_path / "s.yaml", tmp_path).variants
    assert one.place("agent") == (3, 1)
    assert two.place("agent") == (4, 22)


def test_mistakes_of_merged_points_are_told_where_they_were_written(tmp_path: Path) -> None:
    from pytest_agentops.errors import CaseFileError

    (tmp_path / "s.yaml").write_text(
        "version: 1\nagent: a\ncases:\n- id: x\n  task: t\n"
        '  expect: {output: {matches: "("}}\n'
        '  matrix: {expect: [{id: one, value: {said: {matches: "["}}}]}\n'
    )
    with pytest.raises(CaseFileError) as caught:
        load_suite(tmp_path / "s.yaml", tmp_path)
    assert [(m.line, m.col) for m in caught.value.mistakes] == [(6, 21), (7, 46)]


def test_turns_keep_their_places_without_a_second_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pytest_agentops.schema import document

    def never(text: str) -> None:
        raise AssertionError("the text was read twice")

    monkeypatch.setattr(document, "_all_places", never)
    (tmp_path / "s.yaml").write_text(
        "version: 1\nagent: a\ncases:\n- id: x\n  turns:\n"
        "  - {user: a, expect: {said: {contains: a}}}\n  expect: {python: ['./c.py:f']}\n"
    )
    (one,) = load_suite(tmp_path / "s.yaml", tmp_path).variants
    assert one.case().lines["turns[0].expect.said"] == 6
