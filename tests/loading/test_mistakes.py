"""What a person reads who made mistakes in a suite file: all of them at once, each with its place, what was allowed, a cure."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_agentops.errors import CaseFileError
from pytest_agentops.loading.suite import load_suite
from pytest_agentops.loading.unsupported import UNSUPPORTED

GOLDEN = Path(__file__).with_name("golden")
HEAD = "version: 1\nagent: a\n"


def mistakes(folder: Path, text: str, checks: tuple[str, ...] = ()) -> list[str]:
    """The mistakes of a suite file, without its name."""
    path = folder / "s.yaml"
    path.write_text(text, encoding="utf-8")
    try:
        load_suite(path, folder, checks=checks)
    except CaseFileError as error:
        return [str(m).removeprefix("s.yaml:") for m in error.mistakes]
    return []


def in_case(folder: Path, *lines: str) -> list[str]:
    """The mistakes of a case with these lines; they begin in line 6, column 5."""
    body = "".join(f"    {line}\n" for line in lines)
    return mistakes(folder, f"{HEAD}cases:\n  - id: x\n    task: t\n{body}")


def test_a_file_with_many_mistakes_tells_them_all_in_the_order_of_its_lines() -> None:
    with pytest.raises(CaseFileError) as caught:
        load_suite(GOLDEN / "many_mistakes.yaml", GOLDEN)
    assert str(caught.value) + "\n" == (GOLDEN / "many_mistakes.txt").read_text(encoding="utf-8")
    lines = [m.line for m in caught.value.mistakes]
    assert lines == sorted(lines)


ONE = [
    ("unknown key", "expct: {}", "6:5: unknown key 'expct'; did you mean 'expect'?"),
    (
        "bare cost",
        "expect: {cost: {usd: 0.01}}",
        "6:26: expect.cost.usd: a bare number does not say which bound it is; write {max: 0.01}",
    ),
    (
        "text for a number",
        "trials: '3'",
        '6:13: trials: must be a whole number, found "3"; write 3, without quotes or underscores',
    ),
    ("number for a text", "skip: true", "6:11: skip: must be text, found true; quote it if it is a text: 'true'"),
    ("text for a list", "tags: slow", '6:11: tags: must be a list, found "slow"; write [slow]'),
    (
        "trap kept as text",
        "trials: 1_000",
        '6:13: trials: must be a whole number, found "1_000"; write 1000, without quotes or underscores',
    ),
    ("range", "trials: 0", "6:13: trials: must be at least 1, found 0"),
    (
        "enum",
        "replay: {order: an}",
        '6:21: replay.order: must be "any", "per_tool" or "strict", found "an"; did you mean \'any\'?',
    ),
    ("empty turns", "turns: []", "6:12: turns: must have at least 1 item, found 0"),
    ("turn", "setup: {}", ""),
    ("both", "turns: [hi]", "6:5: `task` and `turns` together; a case has one of them; write the task as the first turn"),
    ("mark", "tags: [critical, skip]", "6:22: the tag 'skip' is one of pytest's own marks; use the key `skip: reason`"),
    (
        "tag",
        "tags: [Very Slow]",
        "6:12: tags[0]: 'Very Slow' is no safe name; lower-case letters, digits, _ and -, beginning with a letter; "
        "did you mean 'very_slow'?",
    ),
    ("never passes", "pass_if: {at_least: 2}", "6:15: at_least: 2 of 1 trial can never pass; write at_least: 1, or trials: 2"),
    (
        "clock",
        "clock: 2026-11-22T09:00:00",
        "6:5: clock: '2026-11-22T09:00:00' is no time with a zone; expected one such as 2026-11-22T09:00:00Z",
    ),
    ("network", "network: {allow: [localhost]}", "6:23: 'localhost' is no host:port; expected an address such as 127.0.0.1:5432"),
    ("prompt", "prompt: ./p.md", "6:5: prompt: there is no file ./p.md; expected a file beside the suite, or the text itself"),
    (
        "regex",
        'expect: {output: {matches: ["a", "("]}}',
        "6:38: matches: '(' is no regular expression: missing ), unterminated subpattern at position 0",
    ),
    ("operator", "expect: {state: {a: {$gtt: 1}}}", "did you mean '$gt'?"),
    ("mixed operator", "expect: {state: {a: {$gt: 1, b: 2}}}", "a mapping is all operators or none"),
    (
        "json path",
        'expect: {changed_only: ["$.a["]}',
        "6:29: '$.a[' is no JSON path: column 5: expected a quoted name, an index or * in brackets",
    ),
    ("json schema", "expect: {output: {json_schema: {type: nope}}}", "no JSON Schema"),
    ("like", "expect: {calls: {like: strict, order: exact, include: []}}", "6:36: `like` and `order` together"),
    ("like word", "expect: {calls: {like: strikt, include: []}}", "did you mean 'strict'?"),
    (
        "two tools in one call",
        "expect: {calls: {include: [{a: {}, b: {}}]}}",
        "6:32: a call is one tool with its arguments, found 2 keys: a, b",
    ),
    ("calls of nothing", "expect: {calls: {order: exact}}", "6:14: calls says nothing to check"),
    ("upside down", "expect: {steps: {min: 5, max: 2}}", "6:14: min 5 is above max 2"),
    ("empty range", "expect: {steps: {}}", "6:14: an empty range says nothing"),
    ("python", "expect: {python: checks}", "6:14: python: 'checks' names no function"),
    ("agent", "agent: ./agent.py", "6:5: agent: './agent.py' names no code; expected ./file.py:attribute"),
    ("two agents", "agent: {a: {}, b: {}}", "6:5: agent: 2 names: a, b; expected one registered name with its options"),
    ("fixture", "fixtures: [a-b]", "6:16: 'a-b' is no name of a fixture"),
    ("suite's key", "contracts: {}", "6:5: unknown key 'contracts'; 'contracts' stands at the top of the file, beside `cases`"),
    ("matrix field", "matrix: {modle: [a]}", "6:14: matrix: 'modle' is no field of a case that can vary; did you mean 'model'?"),
    ("matrix type", "matrix: {trials: [1, x]}", '6:26: matrix: trials: must be a whole number, found "x"'),
    ("matrix key", "matrix: {budget.step: [1]}", "matrix: budget: unknown key 'step'"),
    (
        "matrix twins",
        "matrix: {model: [a/b, a b]}",
        "6:27: matrix: two points of 'model' are called 'a-b'; name them: {id: ..., value: ...}",
    ),
    ("matrix mapping", "matrix: {setup: [{a: 1}]}", "6:22: matrix: a mapping or list needs a name; {id: a_name, value: ...}"),
    ("matrix prompt", "matrix: {prompt: [./a.md]}", "6:23: prompt: there is no file ./a.md"),
]


@pytest.mark.parametrize(("line", "message"), [one[1:] for one in ONE], ids=[one[0] for one in ONE])
def test_one_mistake_gives_one_message(tmp_path: Path, line: str, message: str) -> None:
    found = in_case(tmp_path, line)
    if not message:
        assert found == []
        return
    assert len(found) == 1, found
    assert message in found[0]


@pytest.mark.parametrize("key", UNSUPPORTED)
def test_what_is_not_built_yet_is_refused_wherever_it_stands(tmp_path: Path, key: str) -> None:
    line = f"{key}: {'[{}]' if key == 'faults' else '{}'}"
    texts = [f"{HEAD}{line}\ncases: [{{id: x, task: t}}]\n"] if key != "faults" else []
    if key == "faults":
        texts += [f"{HEAD}cases: [{{id: x, task: t, {line}}}]\n", f"{HEAD}defaults: {{{line}}}\ncases: [{{id: x, task: t}}]\n"]
    for text in texts:
        (found,) = mistakes(tmp_path, text)
        assert found.endswith(f": {key}: not supported by this version")


def test_what_is_not_built_yet_hides_in_no_matrix(tmp_path: Path) -> None:
    axis = "matrix: {faults: [{id: a, value: [{}]}]}"
    assert in_case(tmp_path, axis) == ["6:14: matrix.faults: not supported by this version"]


def test_a_null_for_what_is_not_built_yet_is_no_use_of_it(tmp_path: Path) -> None:
    assert in_case(tmp_path, "faults: null") == []


def test_the_tail_of_a_list_of_allowed_keys(tmp_path: Path) -> None:
    (found,) = in_case(tmp_path, "budget: {x: 1}")
    assert found == "6:14: unknown key 'x'; expected one of usd, steps, tool_calls, tokens, seconds, degrade"


FILES = [
    ("empty", "", "1:1: the file is empty; move it out of the case folder, or name it in ini agentops_ignore"),
    ("neither", "a: 1\n", "1:1: neither a suite (`cases:`) nor a policy file (`policy:`); move it"),
    ("misspelt", "case: []\n", "did you mean 'cases' instead of 'case'?"),
    ("policy", "version: 1\npolicy: {}\n", "1:1: a policy file, and a suite is wanted here"),
    ("a list", "- 1\n", "1:1: neither a suite"),
    ("no version", "agent: a\ncases: [{id: x, task: t}]\n", "1:1: the key 'version' is missing; write `version: 1`"),
    ("later version", "version: 2\nagent: a\ncases: [{id: x, task: t}]\n", "1:10: version: must be 1, found 2"),
    ("no cases", f"{HEAD}cases: []\n", "3:8: cases: must have at least 1 item, found 0"),
    ("cases are no list", f"{HEAD}cases: {{a: 1}}\n", "3:8: cases: must be a list"),
    ("case is no mapping", f"{HEAD}cases: [a]\n", '3:9: cases[0]: must be a mapping, found "a"'),
    ("no id", f"{HEAD}cases: [{{task: t}}]\n", "3:9: cases[0]: the key 'id' is missing; name it: a slug such as small_refund"),
    ("no task", f"{HEAD}cases: [{{id: x}}]\n", "3:9: a case needs `task` or `turns`"),
    ("case's key at the top", f"{HEAD}task: t\ncases: [{{id: x, task: t}}]\n", "; 'task' belongs in a case or in `defaults`"),
    (
        "unsafe id",
        f"{HEAD}cases: [{{id: ../x, task: t}}]\n",
        "3:14: id: '../x' is no safe name; lower-case letters, digits, _ and -, "
        "beginning with a letter or digit, at most 80; did you mean 'x'?",
    ),
    ("long id", f"{HEAD}cases: [{{id: {'a' * 81}, task: t}}]\n", "at most 80"),
    (
        "id that is a number",
        f"{HEAD}cases: [{{id: 1, task: t}}]\n",
        "3:14: id: must be text, found 1; quote it if it is a text: '1'",
    ),
    (
        "two of one id",
        f"{HEAD}cases:\n- {{id: x, task: t}}\n- {{id: x, task: t}}\n",
        "5:4: the id 'x' is taken; the other one is on line 4",
    ),
    ("yaml", f"{HEAD}cases: [\n", "not valid YAML"),
]


@pytest.mark.parametrize(("text", "message"), [f[1:] for f in FILES], ids=[f[0] for f in FILES])
def test_a_wrong_file_gives_one_message(tmp_path: Path, text: str, message: str) -> None:
    found = mistakes(tmp_path, text)
    assert len(found) == 1, found
    assert message in found[0]


CONTRACTS = [
    ("{parameters: {type: array}}", "parameters: the arguments of a call are a mapping; expected type: object"),
    ("{parameters: {type: nope}}", "parameters: no JSON Schema"),
    ("{returns: {type: nope}}", "returns: no JSON Schema"),
    ("{cost_usd: 2 USD}", "cost_usd: '2 USD' is no amount"),
    ("{answers: [{args: {}}]}", "neither `result` nor `error`"),
    ("{answers: [{result: 1, error: {type: x}}]}", "both `result` and `error`"),
    ("{answers: [{result: null}]}", ""),
    ("{answers: [{args: {a: {$x: 1}}, result: 1}]}", "unknown operator '$x'"),
    ("{sensitive: [card, '$.a[']}", "'$.a[' is no JSON path"),
    ("{match: {ignore: ['$..a']}}", "'$..a' is no JSON path"),
    ("{effect: reed}", "did you mean 'read'?"),
]


@pytest.mark.parametrize(("spec", "message"), CONTRACTS)
def test_a_wrong_contract_gives_one_message(tmp_path: Path, spec: str, message: str) -> None:
    found = mistakes(tmp_path, f"{HEAD}contracts:\n  t: {spec}\ncases: [{{id: x, task: t}}]\n")
    assert len(found) == bool(message), found
    assert all(message in one and one.startswith("4:") for one in found)


def test_a_mistake_in_defaults_is_told_once_and_where_it_stands(tmp_path: Path) -> None:
    text = f"{HEAD}defaults:\n  clock: noon\n  tags: [xfail]\ncases:\n- {{id: x, task: t}}\n- {{id: y, task: t, tags: [a]}}\n"
    assert mistakes(tmp_path, text) == [
        "4:3: clock: 'noon' is no time with a zone; expected one such as 2026-11-22T09:00:00Z",
        "5:10: the tag 'xfail' is one of pytest's own marks; use the key `xfail: reason`",
    ]


def test_keys_of_registered_checks_are_known(tmp_path: Path) -> None:
    text = f"{HEAD}cases: [{{id: x, task: t, expect: {{tone: kind}}}}]\n"
    (found,) = mistakes(tmp_path, text)
    assert "unknown key 'tone'" in found
    assert mistakes(tmp_path, text, checks=("tone",)) == []


def test_bytes_that_are_no_utf_8_are_placed(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_bytes(b"version: 1\nsuite: caf\xe9\n")
    with pytest.raises(CaseFileError) as caught:
        load_suite(path, tmp_path)
    assert str(caught.value) == "s.yaml:2:11: the byte 0xe9 is not UTF-8; save the file as UTF-8"


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(CaseFileError, match=r"gone\.yaml:1:1: the file cannot be read: No such file"):
        load_suite(tmp_path / "gone.yaml", tmp_path)


@pytest.mark.parametrize(
    ("gates", "said"),
    [
        ("task_sucess_rate: {min: 1}", "3:3: unknown key 'task_sucess_rate'; did you mean 'task_success_rate'?"),
        ("task_success_rate: {mn: 1}", "3:23: unknown key 'mn'; expected one of min, max, confidence; did you mean 'min'?"),
        ("task_success_rate: {min: 90}", "3:28: gates.task_success_rate.min: must be at most 1, found 90"),
        ("cost_usd: {max: '1'}", '3:19: gates.cost_usd.max: must be a number, found "1"; write 1, without quotes or underscores'),
        ("runs: {}", "3:3: runs: a gate that limits nothing; expected min or max"),
        ("runs: {min: 3, max: 2}", "3:10: runs: min 3 is above max 2, so it can never hold"),
        (
            "intervention_rate: {regression_alpha: 0.05, confidence: 0.9}",
            "3:47: intervention_rate: a confidence without min or max",
        ),
        ("pass_hat_k: {k: 3, min: 0.5}", "3:16: k: 3, and a case has 1 trial; expected at most 1; give it more trials"),
        (
            "critical: {tags: [crtical]}",
            "3:21: critical: no case has the tag 'crtical'; expected one of critical; did you mean 'critical'?",
        ),
        ("critical: {}", "3:3: gates.critical: the key 'tags' is missing"),
        ("correction: bonferroni", '3:15: gates.correction: must be "holm" or "none", found "bonferroni"'),
    ],
)
def test_mistakes_in_gates(tmp_path: Path, gates: str, said: str) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        f"version: 1\ngates:\n  {gates}\ncases:\n  - {{id: a, task: t, tags: [critical]}}\n  - {{id: b, task: t, trials: 3}}\n"
    )
    with pytest.raises(CaseFileError) as caught:
        load_suite(path, tmp_path)
    assert str(caught.value) == f"s.yaml:{said}"


def test_a_gate_that_is_null_is_none(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("version: 1\ngates: {runs: null, successes: {min: 1}}\ncases: [{id: a, task: t}]\n")
    assert load_suite(path, tmp_path).variants[0].head.gates == {"successes": {"min": 1}}
