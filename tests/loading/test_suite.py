"""What a right suite file becomes."""

from __future__ import annotations

import gc
import time
import tracemalloc
from decimal import Decimal
from pathlib import Path

import pytest

from pytest_agentops.errors import CaseFileError
from pytest_agentops.loading.suite import LoadedSuite, case_from, load_suite
from pytest_agentops.schema.case import Bounds, CallsExpect, CostExpect, CountBounds, Expect, TextExpect, Turn, TurnExpect

FULL = """\
# yaml-language-server: $schema=../../suite.schema.json
version: 1
suite: refunds
description: Refunds.
agent: ./agent.py:support_agent
tools: [./tools.py:make_shop, clock]
contracts:
  crm.search:
    parameters: {type: object, properties: {query: {type: string}}, required: [query]}
    effect: read
    tier: 0
    cost_usd: "0.02"
    answers: [{args: {query: ann}, result: [{id: C-17}]}, {error: {type: timeout}}]
defaults:
  tags: [shop]
  prompt: ./system.md
  context: {environment: staging, tier: standard}
  budget: {steps: 12, seconds: 9.5}
  expect:
    outcome: completed
    steps: {max: 8}
cases:
  - id: small
    tags: [critical, shop]
    task: "Refund W-1: it's broken"
    setup: {orders: {W-1: {total_usd: 39.50, rate: 0.12345678901234567890, country: NO}}}
    context: {tier: null, region: null}
    trials: 3
    pass_if: {rate: 0.5, at_least: 1}
    fixtures: [db]
    expect:
      calls:
        include: [orders.get, {refund: {amount: {$gt: 0}}}, {mail: null}]
        count: {refund: 1, "*": {max: 6}}
      output: {contains: [refunded], any: [{icontains: a}, {matches: b}]}
      cost: {usd: {max: 0.01}}
      steps: null
      python: ./checks.py:total
  - id: talk
    agent: {transcript: {fast: true}}
    turns:
      - hello
      - {user: "and now", expect: {said: {contains: hi}}}
    matrix:
      model: [smollm2-135m, {id: big, value: xai/grok-3}]
      context.tier: [pro, null]
"""


@pytest.fixture
def suite(tmp_path: Path) -> LoadedSuite:
    folder = tmp_path / "cases" / "refunds"
    folder.mkdir(parents=True)
    (folder / "system.md").write_text("Be kind. {no} templating\n")
    (folder / "refunds.yaml").write_text(FULL)
    return load_suite(folder / "refunds.yaml", tmp_path)


def test_a_suite_knows_its_name_and_place(suite: LoadedSuite, tmp_path: Path) -> None:
    assert (suite.name, suite.file, suite.description) == ("refunds", "cases/refunds/refunds.yaml", "Refunds.")
    assert suite.path == tmp_path / "cases/refunds/refunds.yaml"
    assert [v.name for v in suite.variants] == [
        "small", "talk~smollm2-135m-pro", "talk~smollm2-135m-null", "talk~big-pro", "talk~big-null",
    ]  # fmt: skip
    assert [v.line for v in suite.variants] == [23, 39, 39, 39, 39]


def test_what_collection_needs_is_at_hand(suite: LoadedSuite) -> None:
    small, talk = suite.variants[0], suite.variants[-1]
    assert small.tags == ("shop", "critical")
    assert small.fixtures == ("db",)
    assert small.trials == 3
    assert small.agent == "./agent.py:support_agent"
    assert small.tools == ("./tools.py:make_shop", "clock")
    assert small.python == ("./checks.py:total",)
    assert talk.agent == {"transcript": {"fast": True}}
    assert talk.key != small.key
    assert suite.variants[1].key == talk.key


def test_a_case_is_what_the_file_says_with_defaults_merged_in(suite: LoadedSuite, tmp_path: Path) -> None:
    case = suite.variants[0].case()
    assert (case.id, case.suite, case.variant, case.file, case.line) == ("small", "refunds", None, suite.file, 23)
    assert case.base_dir == str(tmp_path / "cases/refunds")
    fields = case.fields
    assert fields.prompt == "Be kind. {no} templating\n"
    assert fields.setup == {"orders": {"W-1": {"total_usd": 39.5, "rate": Decimal("0.12345678901234567890"), "country": "NO"}}}
    assert fields.context == {"environment": "staging", "region": None}
    assert fields.budget is not None
    assert (fields.budget.steps, fields.budget.seconds) == (12, 9.5)
    assert fields.expect == Expect(
        outcome="completed",
        calls=CallsExpect(
            include=("orders.get", {"refund": {"amount": {"$gt": 0}}}, {"mail": None}),
            count={"refund": 1, "*": CountBounds(max=6)},
        ),
        output=TextExpect(contains=("refunded",), any=(TextExpect(icontains="a"), TextExpect(matches="b"))),
        cost=CostExpect(usd=Bounds(max=0.01)),
        python="./checks.py:total",
    )


def test_each_expect_key_has_its_line_in_the_case_or_in_the_defaults(suite: LoadedSuite) -> None:
    lines = suite.variants[0].case().lines
    assert lines == {
        "expect.outcome": 20,
        "expect.calls": 32,
        "expect.output": 35,
        "expect.cost": 36,
        "expect.steps": 37,
        "expect.python": 38,
    }
    text = FULL.splitlines()
    for key, line in lines.items():
        assert text[line - 1].strip().startswith(key.removeprefix("expect.") + ":")
    assert suite.variants[1].case().lines == {"expect.outcome": 20, "expect.steps": 21, "turns[1].expect.said": 43}
    assert text[42].strip().startswith('- {user: "and now", expect: {said:')


def test_a_point_of_the_matrix_wins_over_case_and_defaults(suite: LoadedSuite) -> None:
    first, *_, last = (v.case() for v in suite.variants[1:])
    assert (first.fields.model, first.fields.context) == ("smollm2-135m", {"environment": "staging", "tier": "pro"})
    assert (last.fields.model, last.fields.context) == ("xai/grok-3", {"environment": "staging"})
    assert first.fields.matrix is None
    assert first.fields.turns == ("hello", Turn(user="and now", expect=TurnExpect(said=TextExpect(contains="hi"))))


def test_contracts_are_typed(suite: LoadedSuite) -> None:
    spec = suite.variants[0].case().contracts["crm.search"]
    assert (spec.effect, spec.tier, spec.cost_usd) == ("read", 0, "0.02")
    assert spec.answers is not None
    assert spec.answers[0].result == [{"id": "C-17"}]
    assert spec.answers[1].error is not None
    assert spec.answers[1].error.type == "timeout"


def test_the_digest_is_that_of_the_text(suite: LoadedSuite, tmp_path: Path) -> None:
    assert load_suite(suite.path, tmp_path).digest == suite.digest
    suite.path.write_text(FULL + "# more\n")
    assert load_suite(suite.path, tmp_path).digest != suite.digest


def load(folder: Path, text: str, name: str = "s.yaml", checks: tuple[str, ...] = ()) -> LoadedSuite:
    path = folder / name
    path.write_text(f"version: 1\n{text}", encoding="utf-8")
    return load_suite(path, folder, checks=checks)


def test_a_suite_without_a_name_is_called_after_its_file(tmp_path: Path) -> None:
    assert load(tmp_path, "cases: [{id: a, task: t}]", "Big Refunds.yml").name == "big-refunds"


def test_a_case_may_have_no_agent_of_its_own(tmp_path: Path) -> None:
    (variant,) = load(tmp_path, "cases: [{id: a, task: t}]").variants
    assert (variant.agent, variant.tools, variant.case().fields.agent) == (None, None, None)


def test_the_transcript_agent_needs_no_task(tmp_path: Path) -> None:
    assert len(load(tmp_path, "agent: transcript\ncases: [{id: a}]").variants) == 1


def test_values_of_outside_checks_are_handed_on(tmp_path: Path) -> None:
    text = "defaults: {expect: {tone: kind, steps: 1}}\ncases: [{id: a, task: t}, {id: b, task: t, expect: {tone: {is: [rude]}}}]"
    a, b = load(tmp_path, text, checks=("tone", "other")).variants
    assert a.case().more_checks == {"tone": "kind"}
    assert a.case().more_checks == {"tone": "kind"}, "the head is not changed"
    assert b.case().more_checks == {"tone": {"is": ["rude"]}}
    assert b.case().fields.expect == Expect(steps=1)
    assert b.case().lines["expect.tone"] == 3


def test_a_byte_order_mark_and_windows_lines_are_read(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_bytes(b"\xef\xbb\xbfversion: 1\r\ncases:\r\n- {id: a, task: t}\r\n")
    assert load_suite(path, tmp_path).variants[0].line == 3


def test_a_prompt_may_be_text_that_looks_like_a_path(tmp_path: Path) -> None:
    (variant,) = load(tmp_path, 'cases: [{id: a, task: t, prompt: "./x\\nis a path"}]').variants
    assert variant.case().fields.prompt == "./x\nis a path"


def test_names_of_agents_and_fixtures_are_left_to_the_doors(tmp_path: Path) -> None:
    (variant,) = load(tmp_path, "agent: my_fixture\ntools: other\ncases: [{id: a, task: t}]").variants
    assert (variant.agent, variant.tools) == ("my_fixture", "other")


# -- from Python


def test_a_case_from_python_words() -> None:
    case = case_from({"task": "t", "expect": {"steps": {"max": 2}}, "tags": ("a",)}, id="x", suite="s", file="t.py", line=7)
    assert (case.name, case.suite, case.line, case.fields.tags) == ("x", "s", 7, ("a",))
    assert case.fields.expect == Expect(steps=CountBounds(max=2))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"tsk": "t"}, "t.py:7:1: unknown key 'tsk'"),
        ({"task": 1}, "t.py:7:1: task: must be text"),
        ({"task": "t", "expect": {"output": {"matches": "("}}}, "no regular expression"),
        ({"task": "t", "setup": {"a": object()}}, "t.py:7:1: $.setup.a: a object cannot be written as JSON"),
        ({"task": "t", "policies": ["x"]}, "policies: there is no file x"),
        ({"task": "t", "faults": [{}]}, "faults: not supported by this version"),
        ({}, "a case needs `task` or `turns`"),
    ],
)
def test_words_that_are_no_case(words: dict[str, object], message: str) -> None:
    with pytest.raises(CaseFileError) as caught:
        case_from(words, id="x", suite="s", file="t.py", line=7)
    assert message in str(caught.value)


# -- size and speed

CASE = """\
  - id: case_{i}
    description: A standard customer's small refund goes straight through, number {i}.
    tags: [critical, refunds]
    task: "Refund order W-{i}, it arrived broken."
    setup: {{orders: {{W-{i}: {{total_usd: 30, status: delivered}}}}}}
    expect:
      outcome: completed
      calls:
        order: in_order
        include:
          - orders.get
          - payments.refund: {{order_id: W-{i}, amount_usd: {{$gt: 0, $le: 30}}}}
          - email.send
        never:
          - payments.refund: {{amount_usd: {{$gt: 100}}}}
        count: {{payments.refund: 1, "*": {{max: 6}}}}
      output:
        contains: [refunded]
        matches: "W-\\\\d+"
      state:
        "$.orders['W-{i}'].status": refunded
      changed_only:
        - "$.orders['W-{i}']"
      cost:
        usd: {{max: 0.01}}
        tokens: {{max: 4000}}
      steps: {{max: 8}}
"""


def many(count: int) -> str:
    return "agent: a\ndefaults: {prompt: ./p.md}\ncases:\n" + "".join(CASE.format(i=i) for i in range(count))


def test_a_waiting_variant_is_small(tmp_path: Path) -> None:
    (tmp_path / "p.md").write_text("x" * 20_000)
    load(tmp_path, many(1))
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        suite = load(tmp_path, many(500))
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(suite.variants) == 500
    assert (after - before) / 500 < 3000
    assert suite.variants[0].case().fields.prompt == "x" * 20_000


def test_loading_time_grows_with_the_number_of_cases_and_no_faster(tmp_path: Path) -> None:
    (tmp_path / "p.md").write_text("Be kind.")

    def cost(count: int) -> float:
        best = 1e9
        for _ in range(3):
            start = time.process_time()
            load(tmp_path, many(count))
            best = min(best, time.process_time() - start)
        return best / count

    cost(1)
    assert cost(2000) < 2 * cost(200)
