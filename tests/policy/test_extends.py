"""``extends:``: templates and bases, what they bring, and what may not be set twice."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from pytest_agentops.errors import CaseFileError
from pytest_agentops.policy.binding import bind, check
from pytest_agentops.policy.decide import evaluate
from pytest_agentops.policy.expected import differences, request_of, stand_in, tool_of
from pytest_agentops.policy.extends import DEEPEST, template, templates
from pytest_agentops.policy.files import load, load_text
from pytest_agentops.policy.lint.run import lint
from pytest_agentops.policy.lint.world import World
from pytest_agentops.policy.model import PolicyFile
from pytest_agentops.schema.policy import Decision

from .conftest import contract, request

BASE = """\
version: 1
policy:
  id: base
  tool: "payments.*"
  tier: 3
  default: deny
  scopes: [pay]
  attributes: {amount_usd: {minimum: 1, required: true}}
  rules:
    - {id: never, if: "amount_usd > 500", deny: true}
    - {if: "amount_usd <= 50", allow: true}
    - {if: "amount_usd > 50", require_approval: manager}
    - {limit: {per: session, max: 3}}
"""
CHILD = "version: 1\npolicy:\n  id: mine\n  extends: ./base.yaml\n  tool: payments.refund\n"


def load_child(folder: Path, child: str, base: str = BASE) -> PolicyFile:
    (folder / "base.yaml").write_text(base)
    (folder / "child.yaml").write_text(child)
    return load(folder / "child.yaml", folder)


def mistakes(folder: Path, child: str, base: str = BASE) -> list[str]:
    with pytest.raises(CaseFileError) as caught:
        load_child(folder, child, base)
    return [str(mistake) for mistake in caught.value.mistakes]


def decide(file: PolicyFile, **args: object) -> Decision:
    made = contract()
    who = request(args).principal.__class__(id="bot", scopes=("pay", "more"))
    return evaluate(bind(file.policies, {made.name: made}), request(dict(args), principal=who))


@pytest.mark.parametrize("name", templates())
def test_a_template_is_clean_and_its_tests_hold(name: str) -> None:
    (policy,) = load_text(template(name), file=f"{name}.yaml").policies
    assert policy.id == name
    report = lint([policy], World())
    assert [str(f) for f in report.findings] == []
    assert report.clean
    for test in policy.tests:
        made = stand_in(policy, test)
        assert differences(policy, test, evaluate(bind([policy], {tool_of(policy, test): made}), request_of(policy, test))) == []


def test_the_templates_are_in_the_package() -> None:
    assert templates() == ("data-deletion", "external-communication", "production-change", "read-only", "refunds")
    assert all((files("pytest_agentops.policy") / "templates" / f"{name}.yaml").is_file() for name in templates())


def test_a_policy_from_a_template_decides_as_the_template() -> None:
    text = "version: 1\npolicy: {id: mine, extends: refunds, tool: payments.refund, rules: [{if: context.fraud, deny: true}]}\n"
    file = load_text(text, file="p.yaml")
    made = contract()
    policies = bind(file.policies, {made.name: made})
    found = evaluate(policies, request({"amount_usd": 60}, context={"fraud": False}))
    assert (found.verdict, found.rule) == ("require_approval", "mine/medium")
    assert found.where is not None
    assert found.where.startswith("pytest_agentops/policy/templates/refunds.yaml:")
    assert evaluate(policies, request({"amount_usd": 60}, context={"fraud": True})).rule == "mine/1"


def test_the_base_comes_first_and_the_policy_adds(tmp_path: Path) -> None:
    more = "  scopes: [more]\n  rules:\n"
    more += "    - {if: 'amount_usd == 7', require_approval: x}\n    - {if: 'amount_usd == 8', deny: true}\n"
    file = load_child(tmp_path, CHILD + more)
    (policy,) = file.policies
    assert [rule.id for rule in policy.rules] == ["mine/never", "mine/base.2", "mine/base.3", "mine/1", "mine/2"]
    assert (policy.tier, policy.default, policy.scopes, policy.base) == (3, "deny", ("pay", "more"), "base.yaml")
    assert decide(file, amount_usd=7).rule == "mine/base.2"  # the base allows it already
    assert decide(file, amount_usd=8).rule == "mine/2"
    assert decide(file, amount_usd=501).rule == "mine/never"


def test_tests_may_name_inherited_rules_and_the_digest_knows_the_base(tmp_path: Path) -> None:
    child = (
        CHILD
        + "  tests: [{name: a, args: {amount_usd: 60}, expect: require_approval, rule: base.3, principal: {scopes: [pay]}}]\n"
    )
    file = load_child(tmp_path, child)
    (policy,) = file.policies
    (test,) = policy.tests
    made = contract()
    assert differences(policy, test, evaluate(bind([policy], {made.name: made}), request_of(policy, test))) == []
    assert load_child(tmp_path, child, BASE.replace("50", "51")).digest != file.digest


def test_what_is_set_twice_is_a_mistake_with_both_places(tmp_path: Path) -> None:
    more = "  tier: 2\n  default: require_approval:x\n"
    more += "  attributes: {amount_usd: {maximum: 3}}\n  rules: [{id: never, allow: true}]\n"
    found = mistakes(tmp_path, CHILD + more)
    assert found == [
        "child.yaml:6:3: tier: tier is set by the base, too (base.yaml:5:3); a policy adds to its base and changes nothing of it",
        "child.yaml:7:3: default: default is set by the base, too (base.yaml:6:3); "
        "a policy adds to its base and changes nothing of it",
        "child.yaml:8:16: attributes.amount_usd is declared by the base (base.yaml:8), too; "
        "a policy adds to its base and changes nothing of it",
        "child.yaml:9:11: rule mine/never is in the base (base.yaml:10), too; "
        "a policy adds to its base and changes nothing of it: give it another id",
    ]
    assert load_child(tmp_path, CHILD + "  tier: 3\n").policies[0].tier == 3  # the same is no change
    other = mistakes(tmp_path, CHILD.replace("payments.refund", "email.send"))
    assert other == [
        "child.yaml:5:3: tool: the base is for 'payments.*', of which 'email.send' is no part (base.yaml:4:3); "
        "a policy adds to its base and changes nothing of it"
    ]


def test_cycles_name_every_place(tmp_path: Path) -> None:
    base = BASE.replace("  id: base\n", "  id: base\n  extends: ./child.yaml\n")
    assert mistakes(tmp_path, CHILD, base) == [
        "base.yaml:4:12: extends: a cycle: child.yaml:4:3 -> base.yaml:4:3 -> child.yaml; one of them must stand alone"
    ]
    itself = mistakes(tmp_path, CHILD.replace("./base.yaml", "./child.yaml"))
    assert "a cycle: child.yaml:4:" in itself[0]


def test_too_many_above_each_other(tmp_path: Path) -> None:
    for n in range(DEEPEST + 2):
        text = CHILD.replace("./base.yaml", f"./p{n + 1}.yaml").replace("payments.refund", '"*"')
        (tmp_path / f"p{n}.yaml").write_text(text)
    with pytest.raises(CaseFileError, match="more than 5 files one above the other"):
        load(tmp_path / "p0.yaml", tmp_path)


@pytest.mark.parametrize(
    ("extends", "says"),
    [
        ("refnds", "there is no template 'refnds'; expected one of data-deletion, external-communication"),
        ("./nowhere.yaml", "nowhere.yaml cannot be read"),
        ("./latin.yaml", "latin.yaml is not UTF-8"),
        ("./two.yaml", "two.yaml has 2 policies; a base has one"),
        ("./bad.yaml", "bad.yaml:2:10: unknown key 'toool'"),
        ("3", "must be text"),
    ],
)
def test_bases_that_cannot_be_had(extends: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes("version: 1 # é".encode("latin-1"))
    (tmp_path / "two.yaml").write_text("version: 1\npolicies: [{tool: a, tier: 1}, {tool: b, tier: 1}]\n")
    (tmp_path / "bad.yaml").write_text("version: 1\npolicy: {toool: a, tier: 1}\n")
    assert says in "\n".join(mistakes(tmp_path, CHILD.replace("./base.yaml", extends)))


def test_a_text_without_a_file_extends_no_file() -> None:
    with pytest.raises(CaseFileError, match="a text without a file cannot name one beside it"):
        load_text(CHILD, file="p.yaml")


def test_roles_of_the_base_must_have_people(tmp_path: Path) -> None:
    found = mistakes(tmp_path, CHILD.replace("version: 1\n", "version: 1\nroles: {boss: [ann]}\n"))
    assert found == ['child.yaml:5:12: extends: nobody has the role "manager"; expected one of boss']


def test_the_cure_for_a_rule_behind_its_base_can_be_done(tmp_path: Path) -> None:
    file = load_child(tmp_path, CHILD + "  rules: [{if: 'amount_usd <= 20', require_approval: m}]\n")
    report = lint(file.policies, World(contracts={"payments.refund": contract()}))
    hints = [finding.mistake.hint for finding in report.findings if finding.code == "POL004"]
    assert hints == ["the rules of a base come first, mine/base.2 is in base.yaml: remove the rule here, or extend another base"]


ROLES = BASE.replace("version: 1\n", "version: 1\nroles: {manager: [dana, eve]}\n")


def test_who_has_a_role_is_as_the_base_says(tmp_path: Path) -> None:
    assert load_child(tmp_path, CHILD, ROLES).roles == {"manager": ("dana", "eve")}
    more = CHILD.replace("version: 1\n", "version: 1\nroles: {boss: [ann], manager: [eve, dana]}\n")
    assert load_child(tmp_path, more, ROLES).roles == {"manager": ("eve", "dana"), "boss": ("ann",)}
    found = mistakes(tmp_path, more.replace("[eve, dana]", "[dana, mallory]"), ROLES)
    assert found == [
        "child.yaml:2:22: roles.manager is set by the base (base.yaml:2:9), too; "
        "a policy adds to its base and changes nothing of it: take another name"
    ]
    asks = mistakes(tmp_path, CHILD + "  rules: [{require_approval: boss}]\n", ROLES)
    assert 'nobody has the role "boss"; expected one of manager' in asks[0]


def test_a_base_that_is_enforced_stays_so(tmp_path: Path) -> None:
    assert mistakes(tmp_path, CHILD + "  mode: shadow\n", BASE) == [
        "child.yaml:6:3: mode: mode is set by the base, too (base.yaml:2:1); a policy adds to its base and changes nothing of it"
    ]
    assert load_child(tmp_path, CHILD + "  mode: enforce\n", BASE).policies[0].mode == "enforce"
    shadow = BASE.replace("  tier: 3\n", "  tier: 3\n  mode: shadow\n")
    assert load_child(tmp_path, CHILD, shadow).policies[0].mode == "shadow"


def test_what_the_rules_of_a_base_cannot_decide_stays_denied(tmp_path: Path) -> None:
    asks = CHILD + "  on_unknown: require_approval:m\n"
    assert mistakes(tmp_path, asks) == [
        "child.yaml:6:3: on_unknown: the base denies what its rules cannot decide (base.yaml:2:1); "
        "a policy adds to its base and changes nothing of it"
    ]
    only = "version: 1\npolicy: {tool: payments.refund, tier: 3, rules: [{if: 'amount_usd > 5', deny: true}]}\n"
    assert load_child(tmp_path, asks + "  rules: [{require_approval: m}]\n", only).policies[0].on_unknown is not None


def test_a_policy_may_keep_calls_longer_than_its_base(tmp_path: Path) -> None:
    file = load_child(tmp_path, CHILD + "  rules: [{log: {retain_days: 60}}]\n", BASE + "    - log: {retain_days: 30}\n")
    tools = {"payments.refund": contract()}
    assert [log.obligations.retain_days for log in file.policies[0].logs] == [30, 60]
    assert check(file.policies, tools, []) == []
    assert [f.code for f in lint(file.policies, World(contracts=tools)).findings if "60 days" in f.mistake.found] == ["POL010"]
