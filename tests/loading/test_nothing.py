"""What can never fail is no check: each such expectation is a mistake, with its place and what to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_agentops.errors import CaseFileError
from pytest_agentops.loading.suite import case_from, load_suite

HEAD = "version: 1\nagent: a\n"


def mistakes(folder: Path, text: str) -> list[str]:
    path = folder / "s.yaml"
    path.write_text(text, encoding="utf-8")
    try:
        load_suite(path, folder)
    except CaseFileError as error:
        return [str(m).removeprefix("s.yaml:") for m in error.mistakes]
    return []


def expecting(folder: Path, expect: str) -> list[str]:
    """The mistakes of a case with this `expect`, which stands in line 5."""
    return mistakes(folder, f"{HEAD}cases:\n- {{id: x, task: t}}\n- {{id: y, task: t, expect: {expect}}}\n")


def col(expect: str, key: str) -> str:
    return f"5:{len('- {id: y, task: t, expect: ') + expect.index(key) + 1}: "


EMPTY = [
    ("{output: {}}", "output", "expect.output: an empty mapping checks nothing; write the words that must be there:"),
    ("{output: {contains: null}}", "output", "expect.output: an empty mapping checks nothing"),
    ("{said: {}}", "said", "expect.said: an empty mapping checks nothing"),
    ("{state: {}}", "state", "expect.state: an empty mapping checks nothing; write what must be there:"),
    ("{cost: {}}", "cost", "expect.cost: an empty mapping checks nothing; write a bound: {usd: {max: 0.01}}"),
    ("{cost: {usd: null}}", "cost", "expect.cost: an empty mapping checks nothing"),
    ("{steps: {}}", "steps", "an empty range says nothing; expected min, max or both"),
    ("{steps: {min: 0}}", "steps", "min: 0 checks nothing: no count is below it; write a max, or a greater min"),
    ("{python: []}", "python", "expect.python: [] checks nothing; name a function: ./checks.py:name, or leave the key out"),
    ("{python: ''}", "python", "python: '' names no function"),
    ("{any: []}", "any", "expect.any: [] checks nothing; write the alternatives: [{steps: {max: 3}}, {outcome: blocked}]"),
    (
        "{any: [{}]}",
        "{}",
        "expect.any[0]: this alternative checks nothing; every run would pass by it; write {outcome: completed}",
    ),
    ("{any: [{steps: 1}, {output: null}]}", "{output", "expect.any[1]: this alternative checks nothing"),
    ("{any: [{calls: {include: []}}]}", "{calls", "expect.any[0]: this alternative checks nothing"),
    ("{any: [{any: [{}]}]}", "{}", "expect.any[0].any[0]: this alternative checks nothing"),
    ("{any: [{output: {}}]}", "output", "expect.any[0].output: an empty mapping checks nothing"),
    ("{calls: {}}", "calls", "calls says nothing to check; expected include, never, never_tried or count"),
    ("{calls: {args: exact}}", "calls", "calls says nothing to check"),
    ("{calls: {count: {}}}", "count", "expect.calls.count: an empty mapping checks nothing; write how often:"),
    ("{calls: {count: {a: {min: 0}}}}", "a: {", "min: 0 checks nothing"),
    (
        "{calls: {never: []}}",
        "never",
        "expect.calls.never: [] checks nothing; name a call that may not reach its tool: [email.send]",
    ),
    ("{calls: {never_tried: [], include: [a]}}", "never_tried", "expect.calls.never_tried: [] checks nothing"),
    (
        "{calls: {include: [a], missing: allow}}",
        "missing",
        "expect.calls: wanted calls may be missing and others may come, so this checks nothing; "
        "write extra: forbid (no calls but these), or leave `missing` out",
    ),
    (
        "{calls: {include: [a], missing: allow, extra: allow, order: any_order}}",
        "missing",
        "expect.calls: wanted calls may be missing",
    ),
    ("{calls: {include: [], missing: allow}}", "missing", "expect.calls: wanted calls may be missing"),
]
TEXTS = [
    ("{contains: ''}", "contains", "contains: an empty text is in every text, so this checks nothing; write what to look for"),
    ("{contains: [a, '']}", "''", "contains[1]: an empty text is in every text, so this checks nothing"),
    ("{contains: []}", "contains", "contains: [] checks nothing; write what to look for, or leave the key out"),
    ("{icontains: ''}", "icontains", "icontains: an empty text is in every text, so this checks nothing"),
    ("{not_contains: ''}", "not_contains", "not_contains: an empty text is in every text, so this can never hold"),
    ("{not_contains: []}", "not_contains", "not_contains: [] checks nothing"),
    ("{matches: ''}", "matches", "matches: an empty text is in every text, so this checks nothing"),
    ("{json_schema: {}}", "json_schema", "json_schema: an empty mapping checks nothing; write a schema: {type: object}"),
    ("{any: []}", "any", "any: [] checks nothing; write the alternatives: [{contains: refunded}, {contains: cancelled}]"),
    ("{any: [{contains: a}, {}]}", "{}", "any[1]: this alternative checks nothing; every run would pass by it"),
    ("{any: [{contains: null}]}", "{contains", "any[0]: this alternative checks nothing"),
    ("{any: [{any: [{matches: ''}]}]}", "matches", "any[0].any[0].matches: an empty text is in every text"),
]


@pytest.mark.parametrize(("expect", "key", "message"), EMPTY, ids=[e[0] for e in EMPTY])
def test_what_checks_nothing_is_a_mistake(tmp_path: Path, expect: str, key: str, message: str) -> None:
    (found,) = expecting(tmp_path, expect)
    assert found.startswith(col(expect, key) + message)


@pytest.mark.parametrize("text", ["output", "said"])
@pytest.mark.parametrize(("expect", "key", "message"), TEXTS, ids=[e[0] for e in TEXTS])
def test_texts_that_check_nothing_are_a_mistake(tmp_path: Path, text: str, expect: str, key: str, message: str) -> None:
    (found,) = expecting(tmp_path, f"{{{text}: {expect}}}")
    assert found.startswith(f"{col(f'{{{text}: {expect}}}', key)}expect.{text}.{message}")


@pytest.mark.parametrize(
    "expect",
    [
        "{}",
        "{output: null}",
        "{changed_only: []}",
        "{calls: {include: []}}",
        "{calls: {include: [], extra: forbid}}",
        "{calls: {include: [], order: exact}}",
        "{calls: {include: [], like: strict}}",
        "{calls: {include: [a], missing: allow, extra: forbid}}",
        "{calls: {include: [a], missing: allow, extra: forbid_writes}}",
        "{calls: {include: [a], missing: allow, order: exact}}",
        "{calls: {include: [a], missing: allow, never: [b]}}",
        "{calls: {include: [a], missing: allow, count: {'*': 1}}}",
        "{calls: {include: [a], like: subset}}",
        "{calls: {count: {a: 0, b: {max: 0}, c: {min: 0, max: 2}}}}",
        "{cost: {tokens: {min: 0}}}",
        "{state: {'$.a': null}}",
        "{state: {a: {}}}",
        "{output: {equals: null}}",
        "{output: {equals: ''}}",
        "{output: {equals: {}}}",
        "{output: {any: [{equals: null}, {contains: a}]}}",
        "{any: [{outcome: completed}, {changed_only: []}]}",
    ],
)
def test_what_can_fail_is_none(tmp_path: Path, expect: str) -> None:
    assert expecting(tmp_path, expect) == []


def test_it_is_the_merged_case_that_must_check_something(tmp_path: Path) -> None:
    text = "defaults: {expect: {output: {contains: a}, calls: {missing: allow}}}\n"
    assert mistakes(tmp_path, f"{HEAD}{text}cases: [{{id: x, task: t, expect: {{output: {{}}, calls: {{never: [a]}}}}}}]\n") == []
    (found,) = mistakes(tmp_path, f"{HEAD}{text}cases: [{{id: x, task: t, expect: {{calls: {{include: [a]}}}}}}]\n")
    assert found.startswith(f"3:{text.index('missing') + 1}: expect.calls: wanted calls may be missing"), (
        "it is told where `missing` stands"
    )


def test_an_empty_expectation_of_the_defaults_is_told_once(tmp_path: Path) -> None:
    found = mistakes(tmp_path, f"{HEAD}defaults: {{expect: {{said: {{}}}}}}\ncases: [{{id: x, task: t}}, {{id: y, task: t}}]\n")
    assert [line.partition(" checks")[0] for line in found] == ["3:21: expect.said: an empty mapping"]


def test_turns_too(tmp_path: Path) -> None:
    text = f"{HEAD}cases:\n- id: x\n  turns:\n  - {{user: a, expect: {{}}}}\n  - {{user: b, "
    text += "expect: {said: {contains: ''}, state: {}}}\n"
    assert [line.partition(";")[0] for line in mistakes(tmp_path, text)] == [
        "7:31: turns[1].expect.said.contains: an empty text is in every text, so this checks nothing",
        "7:46: turns[1].expect.state: an empty mapping checks nothing",
    ]


def test_points_of_a_matrix_too(tmp_path: Path) -> None:
    line = "matrix: {expect: [{id: a, value: {steps: 1}}, {id: b, value: {output: {}}}]}"
    (found,) = mistakes(tmp_path, f"{HEAD}cases:\n- id: x\n  task: t\n  {line}\n")
    assert found.startswith(f"6:{3 + line.index('output')}: expect.output: an empty mapping checks nothing")


def test_what_only_looks_empty_since_it_is_wrong_is_told_as_wrong(tmp_path: Path) -> None:
    (found,) = expecting(tmp_path, "{output: {contain: a}}")
    assert "unknown key 'contain'" in found


@pytest.mark.parametrize("expect", [{"output": {}}, {"calls": {}}, {"any": [{}]}, {"said": {"contains": ""}}])
def test_cases_from_python_too(expect: dict[str, object]) -> None:
    with pytest.raises(CaseFileError, match=r"t\.py:7:1: .*(nothing|says nothing to check)"):
        case_from({"task": "t", "expect": expect}, id="x", suite="s", file="t.py", line=7)


def test_a_message_is_never_null(tmp_path: Path) -> None:
    (found,) = expecting(tmp_path, "{said: {any: [{equals: null}]}}")
    assert "equals: no message to the user is null, so this can never hold" in found


def test_operators_under_equals_are_looked_at(tmp_path: Path) -> None:
    (found,) = expecting(tmp_path, "{output: {equals: {a: {$gtt: 1}}}}")
    assert "unknown operator '$gtt'" in found
