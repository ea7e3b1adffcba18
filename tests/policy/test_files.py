"""Policy files: every form that is read, and what a person reads who made mistakes in one."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from pytest_agentops.errors import CaseFileError
from pytest_agentops.policy import files
from pytest_agentops.policy.files import load, load_text

from .conftest import FOUNDING, rules

GOLDEN = Path(__file__).with_name("golden")


def mistakes(text: str) -> list[str]:
    with pytest.raises(CaseFileError) as caught:
        load_text(text, file="p.yaml")
    return [str(m).removeprefix("p.yaml:") for m in caught.value.mistakes]


def test_the_founding_policy_loads_as_it_stands() -> None:
    found = load_text(FOUNDING, file="policy.yaml")
    (policy,) = found.policies
    assert (policy.id, policy.tool, policy.mode) == ("payments.refund", "payments.refund", "enforce")
    assert [(r.id, r.where, r.verdict) for r in policy.rules] == [
        ("payments.refund/1", "policy.yaml:5", "allow"),
        ("payments.refund/2", "policy.yaml:7", "allow"),
        ("payments.refund/3", "policy.yaml:9", "require_approval"),
    ]
    assert policy.rules[2].need is not None
    assert (policy.rules[2].need.role, policy.rules[2].need.count, policy.rules[2].need.expires_s) == ("support_manager", 1, 900)
    assert policy.logs[0].obligations.redact_fields == ("bank_account", "card_number")
    assert policy.logs[0].obligations.retain_days == 365


def test_every_key_is_read() -> None:
    text = """\
version: 1
roles: {finance: [ann, bob], support_manager: [dana]}
policies:
  - id: refunds
    tool: "payments.*"
    tier: 3
    mode: shadow
    default: require_approval:finance
    on_unknown: require_approval:support_manager
    override_tier: "OPS-12"
    scopes: ["payments:refund"]
    attributes:
      amount_usd: {type: decimal, minimum: "0.01", maximum: 5000, required: true}
      context.customer_tier: {type: string, enum: [standard, pro]}
    rules:
      - {id: block, if: "amount_usd > 5000", deny: true, reason: sanctions}
      - if: "amount_usd > 1000"
        require_approval:
          {role: finance, count: 2, distinct_from: [requester], expires: 2h, on_timeout: deny, allow_edit: [amount_usd]}
      - within: {days: [fri-mon], from: "22:00", to: "06:00", tz: America/New_York}
      - limit: {sum: amount_usd, per: session, max: "500.50", else: require_approval:support_manager}
      - limit: {per: session, max: 3, else: {require_approval: {role: finance, count: 2}}}
      - {if: "amount_usd > 100", log: {retain_days: 3650}}
      - log: {redact_fields: [b, a, b]}
    tests:
      - name: much
        args: {amount_usd: 6000}
        context: {customer_tier: pro}
        principal: {id: bot, scopes: ["payments:refund"]}
        clock: 2026-11-23T12:00:00Z
        spent: {"4": 100}
        expect: deny
        reason: rule
        rule: block
        redact_fields: [a, b]
"""
    found = load_text(text, file="p.yaml")
    (policy,) = found.policies
    assert found.roles == {"finance": ("ann", "bob"), "support_manager": ("dana",)}
    assert (policy.tier, policy.mode, policy.override_tier, policy.scopes) == (3, "shadow", "OPS-12", ("payments:refund",))
    assert (policy.default, policy.default_need.role, policy.on_unknown.role) == (  # type: ignore[union-attr]
        "require_approval",
        "finance",
        "support_manager",
    )
    amount, tier = policy.attributes
    assert (amount.path, amount.type, amount.minimum, amount.maximum, amount.required) == (
        ("amount_usd",),
        "decimal",
        Decimal("0.01"),
        Decimal(5000),
        True,
    )
    assert (tier.path, tier.enum, tier.required) == (("context", "customer_tier"), ("standard", "pro"), False)
    assert [r.id for r in policy.rules] == ["refunds/block", "refunds/2"]
    assert policy.rules[0].note == "sanctions"
    need = policy.rules[1].need
    assert need is not None
    assert (need.role, need.count, need.expires_s, need.allow_edit) == ("finance", 2, 7200, ("amount_usd",))
    assert (policy.windows[0].window.days, policy.windows[0].window.start) == (frozenset({4, 5, 6, 0}), 22 * 60)
    assert [(w.max, w.key) for w in policy.limits] == [(Decimal("500.50"), "p.yaml#refunds/4"), (Decimal(3), "p.yaml#refunds/5")]
    assert policy.limits[0].sum is not None
    assert policy.limits[0].sum.name == "amount_usd"
    assert policy.limits[1].need is not None
    assert policy.limits[1].need.count == 2
    assert [rule.condition is None for rule in policy.logs] == [False, True]
    (test,) = policy.tests
    assert (test.expect, test.reason, test.rule, test.spent) == ("deny", "rule", "block", {"4": Decimal(100)})
    assert (test.principal.scopes, test.redact_fields, test.clock) == (("payments:refund",), ("a", "b"), "2026-11-23T12:00:00Z")


def test_a_file_with_many_mistakes_tells_them_all_at_their_characters() -> None:
    with pytest.raises(CaseFileError) as caught:
        load(GOLDEN / "many_mistakes.yaml", GOLDEN)
    assert str(caught.value) + "\n" == (GOLDEN / "many_mistakes.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", "1:1: a policy file: must be a mapping, found null"),
        ("version: 1\n", "1:1: neither `policy` nor `policies`; expected one of them"),
        ("version: 1\npolicies: []\n", "2:1: policies: an empty list; expected at least one policy"),
        ("version: 1\npolicy: {tool: a}\n", "2:1: a policy without rules; expected at least one rule"),
        ("version: true\npolicy: {tool: a, default: deny}\n", "1:10: version: must be 1, found true"),
        ("policy: {tool: a, default: deny}\n", "1:1: the key 'version' is missing; write `version: 1`"),
        (
            "version: 1\npolicy: {rules: [{deny: true}]}\n",
            "2:1: the key 'tool' is missing; name the tool that the policy is for, or a pattern with *",
        ),
        (rules("{deny: true, id: a}", "{allow: true, id: a}"), "6:25: id: 'a' is the id of the rule on line 5 already"),
        (rules("{deny: }"), "5:14: deny: must be true or false, found null"),
        (rules("{log: {}}"), "5:8: log: nothing is asked for; expected redact_fields or retain_days"),
        (rules("{within: {tz: UTC}}"), "5:8: within: a window that is always open; expected days, from or to"),
        (
            rules("{within: {days: [mon]}}"),
            "5:8: within: a window without a time zone; add tz, such as tz: Europe/Berlin",
        ),
        (rules("{limit: {sum: amount}}"), "5:8: limit: the key 'max' is missing; write the greatest sum that is still allowed"),
        (
            rules("{require_approval: {count: 2}}"),
            "5:8: require_approval: the key 'role' is missing; write the role that approves",
        ),
        (
            rules("{deny: true}", more="default: allow_all"),
            '4:12: default: must be deny, require_approval:ROLE or allow, found "allow_all"',
        ),
        (rules("{deny: true}", more="tier: 5"), "4:9: tier: must be 0 to 4, found 5"),
        (rules("{deny: true}", tool="a*b*c*d*e*"), "3:9: tool: 5 stars in one pattern; at most 4"),
    ],
)
def test_one_mistake(text: str, wanted: str) -> None:
    assert wanted in mistakes(text)


def test_a_role_needs_people_enough() -> None:
    text = "version: 1\nroles: {finance: [ann]}\n" + rules("{require_approval: {role: finance, count: 2}}").partition("\n")[2]
    assert mistakes(text) == [
        '6:33: role: 2 people of the role "finance" can never approve; the role has 1; ask fewer, or add people',
    ]


def test_two_retentions_for_the_same_calls_are_a_mistake_and_for_other_calls_are_not() -> None:
    both = rules("{log: {retain_days: 30}}", "{log: {retain_days: 60}}")
    assert mistakes(both) == ["6:27: retain_days: 60 here and 30 on line 5, for the same calls; keep one of them"]
    load_text(rules("{log: {retain_days: 30}}", '{if: "amount_usd > 5", log: {retain_days: 60}}'), file="p.yaml")


def test_the_digest_is_of_the_rules_and_not_of_the_tests() -> None:
    test = "  tests: [{name: a, args: {amount_usd: 1}, expect: deny}]\n"
    plain, tested = load_text(FOUNDING, file="a"), load_text(FOUNDING + test, file="b")
    other = load_text(FOUNDING.replace("<= 50", "<= 51"), file="a")
    assert plain.digest == tested.digest != other.digest


def test_a_policy_may_not_look_at_too_much() -> None:
    many = rules(*(f'{{if: "args.a{i} == 1", deny: true}}' for i in range(files.MAX_ATTRIBUTES + 1)))
    assert mistakes(many) == ["5:5: rules: the conditions look at 33 attributes; at most 32 in one policy; split it"]
    assert "201 rules" in mistakes(rules(*["{deny: true}"] * (files.MAX_RULES + 1)))[0]


@pytest.mark.parametrize("name", ["missing.yaml", "latin.yaml"])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "latin.yaml").write_bytes("a: é".encode("latin-1"))
    with pytest.raises(CaseFileError, match=rf"{name}:1:1: the file cannot be read"):
        load(tmp_path / name, tmp_path)


PLACES = [
    ("plain", "if: amount_usd > 5 and f(x)", (1, 24)),
    ("double", 'if: "amount_usd > 5 and f(x)"', (1, 25)),
    ("escaped", 'if: "note == \\"a\\" and f(x)"', (1, 24)),
    ("unicode escape", "if: \"note == '\\u00e9' and f(x)\"", (1, 27)),
    ("single", "if: 'note == ''a'' and f(x)'", (1, 24)),
    ("folded line", "if: amount_usd > 5\n        and f(x)", (2, 13)),
    ("folded double", 'if: "amount_usd > 5\n        and f(x)"', (2, 13)),
    ("literal", "if: |\n        a > 1\n        and f(x)", (3, 13)),
    ("folded block", "if: >-\n        a > 1\n        and f(x)", (3, 13)),
]


@pytest.mark.parametrize(("yaml", "place"), [p[1:] for p in PLACES], ids=[p[0] for p in PLACES])
def test_a_mistake_is_shown_at_its_character_whatever_yaml_does_with_the_string(yaml: str, place: tuple[int, int]) -> None:
    text = f"version: 1\npolicy:\n  tool: a\n  rules:\n    - {yaml}\n      deny: true\n"
    line, col = place
    assert mistakes(text)[0].startswith(f"{line + 4}:{col + 6 if line == 1 else col}: if: a call (f)")
