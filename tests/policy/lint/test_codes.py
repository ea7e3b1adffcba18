"""Each finding: its code, its place, the calls that show it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_agentops.errors import CaseFileError
from pytest_agentops.policy.files import load_text
from pytest_agentops.policy.lint.decisions import decisions
from pytest_agentops.policy.lint.finding import Finding, from_mistakes
from pytest_agentops.policy.lint.run import lint
from pytest_agentops.policy.lint.sarif import sarif
from pytest_agentops.policy.lint.world import World
from pytest_agentops.schema.case import Principal
from pytest_agentops.schema.contract import Contract
from pytest_agentops.schema.validate import violations

from ..conftest import FOUNDING, policies_of, rules

PROPERTIES: dict[str, Any] = {
    "amount_usd": {"type": "number"},
    "kind": {"type": "string", "enum": ["full", "part"]},
    "on": {"type": "boolean"},
    "tags": {"type": "array", "items": {"type": "string"}},
}


def contract(**fields: Any) -> Contract:
    schema = {"type": "object", "properties": PROPERTIES, "required": ["amount_usd", "kind", "on"]}
    given = {"name": "payments.refund", "tier": 3, "effect": "write", "parameters": schema, "returns": {"type": "object"}}
    return Contract(**(given | fields))


def found(*lines: str, more: str = "", world: World | None = None, **fields: Any) -> list[Finding]:
    made = contract(**fields)
    given = world or World()
    given = replace(given, contracts={made.name: made, **given.contracts})
    return list(lint(policies_of(rules(*lines, more=more)), given).findings)


def of(code: str, findings: list[Finding]) -> list[str]:
    return [
        f"{f.mistake.line}:{f.mistake.col} {f.mistake.found}" + (f" | {f.cell}" if f.cell else "")
        for f in findings
        if f.code == code
    ]


def test_the_founding_policy() -> None:
    made = contract(parameters={"type": "object", "properties": {"amount_usd": {"type": "number"}}, "required": ["amount_usd"]})
    report = lint(policies_of(FOUNDING), World(contracts={made.name: made}, context=frozenset(["customer_tier"])))
    assert report.cells == 30
    assert report.partial == ()
    findings = list(report.findings)
    assert of("POL005", findings) == [
        "7:7 rules payments.refund/2 (allow) and payments.refund/3 (ask support_manager, line 9) both hold; the first decides"
        " | 50 < amount_usd < 200 and customer_tier == 'enterprise'",
        "7:7 rules payments.refund/2 (allow) and payments.refund/3 (ask support_manager, line 9) both hold; the first decides"
        " | amount_usd == 200 and customer_tier == 'enterprise'",
    ]
    assert of("POL006", findings) == [
        "2:1 no rule of policy payments.refund applies, the call falls to tier 3: deny"
        " | amount_usd <= 50 and customer_tier not in ['enterprise', 'pro', 'standard']"
    ]
    assert of("POL008", findings) == [
        "5:7 rule payments.refund/1 allows amount_usd below 50 without a bound, however low it is, also below 0;"
        " so does payments.refund/2 (line 7) | amount_usd < 50 and customer_tier in ['pro', 'standard']"
    ]
    assert [f.code for f in findings if f.code not in ("POL005", "POL006", "POL008")] == ["POL016", "POL007", "POL009", "POL009"]
    assert report.errors == 0


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("version: 1\npolicy: {tool: a, tier: 1, colour: x}\n", "POL001"),
        ("version: 1\npolicy: {tool: a, rules: [{if: 'principal.rolez == 1', allow: true}]}\n", "POL002"),
        ("version: 1\npolicy: {tool: a, rules: [{if: 'x < true', allow: true}]}\n", "POL003"),
        ("version: 1\nroles: {a: [b]}\npolicy: {tool: a, rules: [{require_approval: c}]}\n", "POL011"),
        ("version: 1\npolicy: {tool: a, rules: [{within: {from: '09:00'}}]}\n", "POL013"),
        ("version: 1\npolicy: {tool: a, rules: [{log: {retain_days: 1}}, {log: {retain_days: 2}}]}\n", "POL010"),
    ],
)
def test_what_the_loader_refuses_has_a_code(text: str, code: str) -> None:
    with pytest.raises(CaseFileError) as caught:
        load_text(text, file="p.yaml")
    assert from_mistakes(caught.value.mistakes)[0].code == code


def test_names_that_are_not_there() -> None:
    world = World(context=frozenset(["customer_tier"]))
    findings = found('{if: "amuont_usd > 1 or args.knid == 1 or context.tier == 2", deny: true}', world=world)
    assert of("POL002", findings) == [
        "5:13 amuont_usd: it is no argument of payments.refund, and no case has it in its context",
        "5:31 args.knid: payments.refund has no such argument",
        "5:49 context.tier: no case has it in its context",
    ]
    assert next(f.mistake.hint for f in findings if f.code == "POL002") == "did you mean 'amount_usd'?"
    assert of("POL002", found("{limit: {sum: price, max: 3}}", world=world)) == [
        "5:8 price: it is no argument of payments.refund, and no case has it in its context"
    ]


NESTED: dict[str, Any] = {
    "type": "object",
    "properties": {
        "address": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "zip": {"type": "integer"}},
            "required": ["city"],
            "additionalProperties": False,
        },
        "loose": {"type": "object", "properties": {"city": {"type": "string"}}},
        "ref": {"$ref": "#/$defs/place"},
        "any": {"anyOf": [{"type": "object"}, {"type": "null"}]},
        "text": {"type": "string"},
    },
    "required": ["address"],
    "$defs": {"place": {"type": "object", "properties": {}, "additionalProperties": False}},
}


def test_names_inside_of_an_argument_that_are_not_there() -> None:
    line = "{if: \"exists(args.address.zipp) or address.citty == 'x' or exists(text.more) or exists(ref.x)\", deny: true}"
    findings = found(line, parameters=NESTED, world=World(context=frozenset()))
    assert of("POL002", findings) == [
        "5:20 args.address.zipp: payments.refund has no 'zipp' there",
        "5:42 address.citty: payments.refund has no 'citty' there",
        "5:73 text.more: payments.refund has no 'more' there",
        "5:94 ref.x: payments.refund has no 'x' there",
    ]
    hints = [f.mistake.hint for f in findings if f.code == "POL002"]
    assert hints == ["did you mean 'zip'?", "did you mean 'city'?", *["what it is in has nothing inside"] * 2]
    assert of("POL007", findings) == []  # it is not missing now and then, but always
    there = found("{if: \"exists(loose.zip) or exists(any.x) or address.city == 'x'\", deny: true}", parameters=NESTED)
    assert of("POL002", there) == []


def test_values_that_can_never_be() -> None:
    findings = found(
        "{if: \"kind == 'ful' or amount_usd == '50' or on == 1 or kind in ['part', 'half'] or kind < 'g'\", deny: true}"
    )
    assert [line.split(" ", 1)[1] for line in of("POL003", findings)] == [
        "kind is never 'ful'",
        "amount_usd is compared with '50', but is never a text (it is a number)",
        "on is compared with 1, but is never a number (it is a bool)",
        "kind is never 'half'",
    ]
    assert next(f for f in findings if f.code == "POL003").mistake.hint == "did you mean 'full'?"
    declared = found("{if: \"args.kind == 'x'\", deny: true}", more="attributes: {kind: {enum: [full]}}")
    assert of("POL003", declared) == ["6:26 args.kind is never 'x'"]


def test_rules_that_never_decide() -> None:
    findings = found(
        '{if: "amount_usd < 5 and amount_usd > 7", deny: true}',
        '{if: "amount_usd <= 100", require_approval: m}',
        '{if: "amount_usd <= 10", allow: true}',
        '{if: "amount_usd > 100 and on", allow: true}',
        '{if: "amount_usd > 100", deny: true}',
        "{if: \"amount_usd == 7 and kind == 'never'\", log: {redact_fields: [kind], retain_days: 3}}",
    )
    assert of("POL004", findings) == [
        "5:7 rule payments.refund/1 never matches | it is unknown for amount_usd is out of all proportion",
        "7:7 rule payments.refund/3 never decides: it is shadowed by payments.refund/2 (line 6) | amount_usd <= 10",
        "8:7 rule payments.refund/4 never decides: it is shadowed by payments.refund/5 (line 9)"
        " | amount_usd > 100 and on == true",
        "10:7 rule payments.refund/6 never matches: log: redact kind; keep 3 days",
    ]
    refused = found('{if: "amount_usd > 50", allow: true}', more="attributes: {amount_usd: {maximum: 50}}")
    assert of("POL004", refused) == [
        "6:7 rule payments.refund/1 never decides: `attributes` of the policy refuse every call that it is for | amount_usd > 50"
    ]


def test_a_last_rule_without_a_condition_is_the_rest_and_a_default_closes_gaps() -> None:
    assert of("POL005", found('{if: "on", allow: true}', "{require_approval: m}")) == []
    assert of("POL006", found('{if: "on", require_approval: m}')) == [
        "2:1 no rule of policy payments.refund applies, the call falls to tier 3: require_approval | on == false"
    ]
    assert of("POL006", found('{if: "on", require_approval: m}', more="default: deny")) == []
    assert of("POL006", found("{if: on, deny: true}")) == []  # it only forbids


def test_many_overlaps_and_gaps_are_not_all_told() -> None:
    listed = ", ".join(f"'{n}'" for n in "abcdefg")
    findings = found(
        f'{{if: "context.x in [{listed}]", allow: true}}',
        f'{{if: "context.x in [{listed}]", require_approval: m}}',
        more="tier: 3",
    )
    assert len(of("POL005", findings)) == 4
    assert of("POL005", findings)[-1].endswith("(and 3 more cells)")


def test_what_may_be_missing() -> None:
    findings = found('{if: "context.a == 1 and exists(context.b) and on", deny: true}')
    assert of("POL007", findings) == [
        "5:8 context.a may be missing, then rule payments.refund/1 cannot be decided and the call is denied"
        " | on == true and context.a is missing or of another kind and context.b is given"
    ]
    assert of("POL007", found('{if: "context.a == 1", allow: true}', more="on_unknown: require_approval:m")) == []


def test_what_may_be_null() -> None:
    schema = {"type": "object", "properties": {"region": {"type": ["string", "null"]}}, "required": ["region"]}
    line = "{if: \"region in ['XX']\", deny: true}"
    assert of("POL007", found(line, parameters=schema)) == [
        "5:8 region may be null, then rule payments.refund/1 cannot be decided and the call is denied | region is null"
    ]
    assert of("POL007", found("{if: \"region != null and region in ['XX']\", deny: true}", parameters=schema)) == []
    assert of("POL007", found("{if: \"region in ['XX', null]\", deny: true}", parameters=schema)) == []


def test_amounts_without_a_bound() -> None:
    assert of("POL008", found('{if: "0 < amount_usd <= 50", allow: true}', '{if: "amount_usd > 50", require_approval: m}')) == []
    high = found('{if: "amount_usd > 0 and on", allow: true}', "{require_approval: m}")
    assert of("POL008", high) == [
        "5:8 rule payments.refund/1 allows amount_usd above 0 without a bound, however high it is | amount_usd > 0 and on == true"
    ]
    blind = found('{if: "on", allow: true}', '{if: "amount_usd > 50", require_approval: m}', "{require_approval: n}")
    assert len(of("POL008", blind)) == 1
    bounded = contract().parameters | {"properties": PROPERTIES | {"amount_usd": {"type": "number", "minimum": 1, "maximum": 60}}}
    assert of("POL008", found('{if: "amount_usd <= 50", allow: true}', "{require_approval: n}", parameters=bounded)) == []


def test_every_rule_without_a_bound_is_named_at_once() -> None:
    two = found('{if: "on and amount_usd <= 50", allow: true}', '{if: "amount_usd <= 90", allow: true}', "{require_approval: m}")
    assert [line.split(" | ")[0] for line in of("POL008", two)] == [
        "5:8 rule payments.refund/1 allows amount_usd below 50 without a bound, however low it is, also below 0;"
        " so does payments.refund/2 (line 6)"
    ]
    used = found('{if: "session.tool_calls <= 5", allow: true}', "{require_approval: m}", parameters={"type": "object"})
    assert of("POL008", used) == []  # what was used up is never below 0


def test_a_number_that_no_policy_looks_at_has_no_bound() -> None:
    lines = "{if: \"kind == 'part'\", allow: true}", "{require_approval: m}"
    said = "5:8 rule payments.refund/1 allows any amount_usd, also below 0: no policy looks at it | kind == 'part'"
    assert of("POL008", found(*lines, tier=2)) == [said]
    assert of("POL008", found(*lines, tier=0, effect="read")) == []
    assert of("POL008", found(*lines, more="attributes: {amount_usd: {minimum: 1, maximum: 9}}")) == []
    assert of("POL008", found(*lines, "{limit: {sum: amount_usd, max: 9}}")) == []
    bounds = PROPERTIES | {"amount_usd": {"type": "number", "minimum": 0, "exclusiveMaximum": 9}}
    assert of("POL008", found(*lines, parameters=contract().parameters | {"properties": bounds})) == []
    other = policies_of(rules(*lines), rules('{if: "amount_usd > 9", deny: true}', tool="payments.*"))
    assert of("POL008", list(lint(other, World(contracts={"payments.refund": contract(tier=2)})).findings)) == []


def test_redaction() -> None:
    schema = {
        "type": "object",
        "properties": {
            "card_number": {"type": "string"},
            "max_tokens": {},
            "payer": {"properties": {"iban": {}}, "type": "object"},
        },
    }
    findings = found("{require_approval: m}", "{log: {redact_fields: [card_nmber], retain_days: 3}}", parameters=schema)
    assert of("POL009", findings) == [
        "2:1 payments.refund has a field 'card_number', which looks like a secret and is not redacted",
        "2:1 payments.refund has a field 'iban', which looks like a secret and is not redacted",
        "6:8 rule payments.refund/2 redacts 'card_nmber', which is not in the arguments and results of payments.refund",
    ]
    assert next(f for f in findings if "card_nmber" in f.mistake.found).mistake.hint == "did you mean 'card_number'?"
    arguments = "arguments and results"
    by_place = found(
        "{require_approval: m}",
        "{log: {redact_fields: [payer.iban, $.iban, $.payer.card_number, '$.payer[*]'], retain_days: 3}}",
        parameters=schema,
    )
    assert of("POL009", by_place) == [
        "2:1 payments.refund has a field 'card_number', which looks like a secret and is not redacted",
        "2:1 payments.refund has a field 'iban', which looks like a secret and is not redacted",
        *(
            f"6:8 rule payments.refund/2 redacts {name!r}, which is not in the {arguments} of payments.refund"
            for name in ("$.iban", "$.payer.card_number", "payer.iban")
        ),
    ]
    clean = found(
        "{require_approval: m}",
        "{log: {redact_fields: [card_number, $.payer.iban], retain_days: 3}}",
        parameters=schema,
    )
    assert of("POL009", clean) == []
    assert of("POL009", found("{require_approval: m}", parameters=schema, sensitive=("card_number", "iban"))) == []


def test_retention() -> None:
    assert of("POL010", found("{log: {redact_fields: [kind]}}")) == [
        "5:8 policy payments.refund does not say how long calls are kept"
    ]
    short = found("{log: {retain_days: 3}}", world=World(least_days=30))
    assert of("POL010", short) == ["5:8 rule payments.refund/1 keeps calls 3 days, at least 30 are asked for"]
    two = found('{if: "on", log: {retain_days: 3}}', '{if: "amount_usd > 3", log: {retain_days: 4}}')
    assert len(of("POL010", two)) == 1
    assert of("POL010", two)[0].endswith("| amount_usd > 3 and on == true")
    texts = (rules("{log: {retain_days: 3}}"), rules("{log: {retain_days: 4}}", tool="payments.*"))
    both = lint(policies_of(*texts), World(contracts={"payments.refund": contract()})).findings
    assert of("POL010", list(both)) == [
        "5:8 rules payments.refund/1 (3 days) and payments.*/1 (4 days, p1.yaml:5) hold for the same call; the longer time counts"
        " | every call"
    ]
    apart = found('{if: "on", log: {retain_days: 3}}', '{if: "not on", log: {retain_days: 4}}')
    assert of("POL010", apart) == []


def test_people() -> None:
    world = World(roles={"boss": ("ann",), "two": ("ann", "bob")}, principals=(Principal(id="bot", on_behalf_of="ann"),))
    lines = ("{require_approval: bos}", "{require_approval: {role: boss, count: 2}}", "{require_approval: {role: two, count: 2}}")
    assert of("POL011", found(*lines, world=world)) == [
        '5:7 nobody has the role "bos"',
        '6:7 2 people of the role "boss" can never approve: the role has 1',
        "7:7 2 of the role 'two' must approve, but bot is one of them and makes the call: nobody approves for himself",
    ]
    assert of(
        "POL011", found("{limit: {max: 1, else: require_approval:x}}", more="default: require_approval:y", world=world)
    ) == [
        '2:1 nobody has the role "y"',
        '6:7 nobody has the role "x"',
    ]
    assert of("POL011", found("{require_approval: anybody}")) == []


def test_windows_that_are_never_open_at_once() -> None:
    days = "{within: {days: [mon], tz: UTC}}", "{within: {days: [tue], tz: UTC}}"
    assert len(of("POL013", found(*days, "{require_approval: m}"))) == 1
    night = "{within: {days: [mon], from: '22:00', to: '02:00', tz: UTC}}", "{within: {days: [tue], tz: UTC}}"
    assert of("POL013", found(*night, "{require_approval: m}")) == []
    zones = "{within: {days: [mon], tz: UTC}}", "{within: {days: [tue], tz: Asia/Tokyo}}"
    assert of("POL013", found(*zones, "{require_approval: m}")) == []
    hour = "{{within: {{from: '09:00', to: '10:00', tz: {}}}}}"
    apart = found(hour.format("Europe/Berlin"), hour.format("America/New_York"), "{require_approval: m}")
    assert of("POL013", apart) == [
        "6:7 rule payments.refund/2 and the windows before it (line 5) are never open at once: every call is denied"
    ]
    # the clocks of New York are changed some weeks before those of Berlin
    spring = hour.format("Europe/Berlin").replace("10:00", "10:01"), hour.format("America/New_York").replace("09", "04")
    assert of("POL013", found(*spring, "{require_approval: m}")) == []


def test_windows_of_one_condition() -> None:
    one, other = "{if: 'on', within: {days: [mon], tz: UTC}}", "{if: ' on ', within: {days: [tue], tz: UTC}}"
    assert of("POL013", found(one, other, "{require_approval: m}")) == [
        "6:7 rule payments.refund/2 and the windows before it (line 5) are never open at once: every call where on is denied"
    ]
    assert of("POL013", found(one, other.replace(" on ", "not on"), "{require_approval: m}")) == []
    always = "{within: {days: [tue], tz: UTC}}"
    assert len(of("POL013", found(always, one, one.replace("mon", "wed"), "{require_approval: m}"))) == 1


def test_the_floor_everything_no_policy_no_tests_and_duties() -> None:
    assert len(of("POL012", found("{allow: true}"))) == 1
    assert of("POL014", found("{allow: true}", tier=2))[0].startswith("5:7 rule payments.refund/1 allows every call")
    assert of("POL014", found("{allow: true}", tier=1)) == []
    world = World(contracts={"email.send": Contract(name="email.send"), "read": Contract(name="read", tier=0)})
    assert of("POL015", found("{require_approval: m}", world=world)) == [
        "2:1 the tool email.send is offered to agents and has no policy: its tier 4 decides",
    ]
    assert of("POL016", found("{require_approval: m}")) == ["2:1 policy payments.refund has no tests"]
    unable = found("{require_approval: m}", "{log: {retain_days: 3}}", world=World(able=frozenset(["redact"])))
    assert len(of("POL017", unable)) == 1


def test_two_attributes_or_too_many_cells_are_partial_and_never_clean() -> None:
    report = lint(policies_of(rules('{if: "amount_usd > context.limit", deny: true}', more="tier: 3")), World())
    assert not report.clean
    assert "two attributes are compared (amount_usd with context.limit)" in report.partial[0]
    lines = [f'{{if: "amount_usd > {n} and context.c{n} == {n}", require_approval: m}}' for n in range(14)]
    (policy,) = policies_of(
        rules(
            *lines,
            '{if: "amount_usd < 3 and amount_usd > 4", deny: true}',
            '{if: "amount_usd > 3 and context.c3 == 3", allow: true}',
        )
    )
    big = decisions(policy, contract(), known=True)
    assert "cells are too many: rules were compared in pairs" in big.partial[0]
    assert [f.rule for f in big.findings if f.code == "POL004"] == ["payments.refund/15", "payments.refund/16"]
    overlap = '{if: "amount_usd > 3", allow: true}'
    (policy,) = policies_of(rules(*lines, overlap))
    assert "POL005" in {f.code for f in decisions(policy, contract(), known=True).findings}


def test_what_other_rules_compare_is_partial_too() -> None:
    log = '{if: "amount_usd < context.fee and amount_usd > context.fee", log: {redact_fields: [kind], retain_days: 3}}'
    report = lint(policies_of(rules("{require_approval: m}", log)), World(contracts={"payments.refund": contract()}))
    assert "rule payments.refund/2: two attributes are compared (amount_usd with context.fee)" in report.partial[0]
    assert "POL004" not in {f.code for f in report.findings}
    logs = [
        f'{{if: "{" and ".join(f"context.{a}{n} == 1" for n in range(6))}", log: {{retain_days: {days}}}}}'
        for a, days in (("a", 3), ("b", 4))
    ]
    (policy,) = policies_of(rules("{require_approval: m}", *logs))
    partial = lint([policy], World(contracts={"payments.refund": contract()})).partial
    assert any("rules payments.refund/2 and payments.refund/3 look at " in why for why in partial)


def test_mixed_ways_of_looking_at_a_text_claim_nothing_that_is_not_so() -> None:
    lines = (
        "{if: \"startswith(kind, 'fu') and len(kind) > 2\", allow: true}",
        "{if: \"'u' in kind and len(kind) > 2\", deny: true}",
    )
    schema = {"type": "object", "properties": {"kind": {"type": "string"}}, "required": ["kind"]}
    report = lint(policies_of(rules(*lines)), World(contracts={"payments.refund": contract(parameters=schema)}))
    assert any("kind is looked at in ways" in why for why in report.partial)
    assert "POL004" not in {f.code for f in report.findings}


def test_sarif_is_what_its_schema_wants() -> None:
    report = lint(policies_of(FOUNDING), World())
    log = sarif(report, version="1.2.3")
    run = log["runs"][0]
    assert (log["version"], run["tool"]["driver"]["version"]) == ("2.1.0", "1.2.3")
    assert [r["id"] for r in run["tool"]["driver"]["rules"]] == [f"POL{n:03}" for n in range(1, 18)]
    assert len(run["results"]) == len(report.findings)
    for result, finding in zip(run["results"], report.findings, strict=True):
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == finding.code
        region = result["locations"][0]["physicalLocation"]["region"]
        assert (region["startLine"], region["startColumn"]) == (finding.mistake.line, finding.mistake.col)
    needed = {"type": "object", "required": ["ruleId", "level", "message", "locations", "partialFingerprints"]}
    assert [v for result in run["results"] for v in violations(needed, result)] == []
    odd = load_text("version: 1\npolicy: {tool: a, tier: 3, rules: [{require_approval: m}]}\n", file="my pölicies#1%/p q.yaml")
    place = sarif(lint(odd.policies, World()), version="1")["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "my%20p%C3%B6licies%231%25/p%20q.yaml"
    assert len({result["partialFingerprints"]["agentops/v1"] for result in run["results"]}) == len(run["results"])
