"""Policies from the outside: named by a suite, held against its tools, enforced in every door, told in summary and results."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Project, without_times

AGENT = """
def pays(task, tools):
    out = []
    for amount in task.setup.get("amounts", [20]):
        got = tools.attempt("pay.refund", {"amount_usd": amount, "card": "4000-CANARY"})
        out.append("paid" if got.ok else got.error["reason"])
        task.say(f"about 4000-CANARY: {got.value or got.error}")
    return " ".join(out)
"""

TOOLS = """
from pathlib import Path
from pytest_agentops import tool

PAID = Path(__file__).parent / "paid.txt"

def would(amount_usd: float, card: str = "", key: str = "") -> dict:
    return {"would_pay": amount_usd}

@tool("pay.refund", effect="write", tier=3, cost_usd="0.10", dry_run=would)
def refund(amount_usd: float, card: str = "", key: str = "") -> dict:
    with PAID.open("a") as file:
        file.write(f"{amount_usd:g}\\n")
    return {"paid": amount_usd, "card": card}
"""

HEAD = "version: 1\nagent: ./agent.py:pays\ntools: ./tools.py:refund\npolicies: [./policy.yaml]\n"

POLICY = """\
version: 1
policy:
  id: refunds
  tool: pay.refund
  rules:
    - {if: "amount_usd <= 50", allow: true}
    - {if: "amount_usd > 50", require_approval: boss}
    - {if: "amount_usd > 500", deny: true}
    - log: {redact_fields: [card], retain_days: 30}
"""


class Shop:
    """A suite with a policy."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.policy()

    def policy(self, text: str = POLICY) -> None:
        self.project.write("cases/pay/policy.yaml", text)

    def suite(self, cases: str, head: str = HEAD, **more: str) -> Path:
        return self.project.suite(cases, name="pay", head=head, **{"agent": AGENT, "tools": TOOLS, **more})

    @property
    def paid(self) -> list[str]:
        file = self.project.path / "cases/pay/paid.txt"
        return file.read_text().split() if file.exists() else []

    @property
    def runs(self) -> dict[str, dict]:
        return {case["id"]: case["trials"][0] for case in self.project.results["cases"]}


@pytest.fixture
def shop(project: Project) -> Shop:
    return Shop(project)


ONE = "- {id: one, task: go}"
MANY = """
- {id: small, task: go, setup: {amounts: [20]}, expect: {interventions: 0, policy: {blocks: 0}}}
- id: asked
  task: go
  setup: {amounts: [100, 20]}
  approvals: [{role: boss, by: ann, decision: approve}]
  expect: {interventions: 1, policy: {approvals: 1}}
- id: edited
  task: go
  setup: {amounts: [100]}
  approvals: [{role: boss, by: ann, decision: edit, edit: {amount_usd: 30}, message: "half"}]
- id: denied
  task: go
  setup: {amounts: [600]}
  expect: {policy: {blocked: [{tool: pay.refund, reason: rule, rule: refunds/3}]}}
"""


def test_recorded_and_replayed(shop: Shop, project: Project) -> None:
    shop.suite(MANY)
    result = project.record()
    assert result.ret == 0, result.stdout.str()
    before = {p: p.read_bytes() for p in (project.path / "cassettes").rglob("*.yaml")}
    assert shop.paid == ["20", "100", "20", "30"] or sorted(shop.paid) == ["100", "20", "20", "30"]
    result = project.evals()
    assert result.ret == 0, result.stdout.str()
    assert len(shop.paid) == 4
    result.stdout.fnmatch_lines(
        ["*overrides by humans; these become your next cases:", "  pay/edited: edit of pay.refund by ann (boss, scripted)*half"]
    )
    result.stdout.fnmatch_lines(["audit: * records in 1 log, anchor *"])
    result.stdout.no_fnmatch_line("*policy: none*")
    metrics = project.results["metrics"]
    assert metrics["intervention_rate"] == 0.5
    assert (metrics["interventions"], metrics["interventions_by_kind"]) == (2, {"approve": 1, "edit": 1})
    assert (metrics["policy_blocks"], metrics["unexpected_policy_blocks"]) == (1, 0)
    assert {k: c["decision"] for k, r in shop.runs.items() for c in r["calls"][:1]} == {
        "pay/small": "allow",
        "pay/asked": "approved",
        "pay/edited": "edited",
        "pay/denied": "deny",
    }
    assert project.evals("-q", "--agent-record=all").ret == 0
    assert {p: p.read_bytes() for p in (project.path / "cassettes").rglob("*.yaml")} == before, "equal answers leave no diff"


def test_no_file_holds_what_a_policy_redacts(shop: Shop, project: Project) -> None:
    shop.suite(
        MANY.replace('message: "half"', 'message: "4000-CANARY is stolen"').replace(
            "edit: {amount_usd: 30}", "edit: {amount_usd: 30}"
        )
    )
    project.record()
    assert project.evals().ret == 0
    folders = [project.path / "cassettes", project.path / ".agentops"]
    files = [p for folder in folders for p in folder.rglob("*") if p.is_file()]
    assert any("audit/payload" in p.as_posix() for p in files), "retention keeps payloads"
    holding = [p.relative_to(project.path).as_posix() for p in files if b"CANARY" in p.read_bytes()]
    assert holding == []


def test_the_same_in_two_workers(shop: Shop, project: Project) -> None:
    shop.suite(MANY)
    project.record()
    assert project.evals("-q").ret == 0
    alone = without_times(project.results)
    result = project.apart("-p", "xdist", "--agent-evals", "-n2")
    assert result.ret == 0, result.stdout.str()
    both = without_times(project.results)
    assert both["cases"] == alone["cases"]
    assert both["metrics"] == alone["metrics"]
    result.stdout.fnmatch_lines(["audit: * records in 2 logs, anchor *"])
    assert both["audit"]["logs"] == 2
    verify = project.pytester.run(*cli(project, "audit", "verify", "--anchor", both["audit"]["anchor"]))
    assert verify.ret == 0, verify.stdout.str()


def cli(project: Project, *words: str) -> list[str]:
    import sys

    return [sys.executable, "-m", "pytest_agentops.cli", *words]


def test_trials_have_limits_and_scripts_of_their_own(shop: Shop, project: Project) -> None:
    shop.policy(POLICY + "    - limit: {per: session, max: 2}\n")
    shop.suite(
        "- {id: one, task: go, trials: 3, setup: {amounts: [100, 20]}, approvals: [{role: boss, by: ann, decision: approve}]}"
    )
    project.record()
    result = project.evals()
    assert result.ret == 0, result.stdout.str()
    trials = project.results["cases"][0]["trials"]
    assert [[c["decision"] for c in t["calls"]] for t in trials] == [["approved", "allow"]] * 3


def test_turns_are_one_trial(shop: Shop, project: Project) -> None:
    shop.policy(POLICY + "    - limit: {per: session, max: 1}\n")
    shop.suite("- {id: one, turns: [a, b], expect: {policy: {blocked: [{tool: pay.refund, reason: limit}]}}}")
    project.record()
    assert project.evals().ret == 0


def test_a_changed_policy_shows_what_it_would_have_done(shop: Shop, project: Project) -> None:
    shop.suite(MANY)
    project.record()
    shop.policy(POLICY.replace("amount_usd > 500", "amount_usd > 15"))
    result = project.evals()
    assert result.ret == 1
    assert project.statuses == {"asked": "failed", "denied": "passed", "edited": "passed", "small": "failed"}
    assert {k for k, r in shop.runs.items() if "counterfactual" in r["labels"]} == {"pay/asked", "pay/edited", "pay/small"}
    result.stdout.fnmatch_lines(
        ["3 runs not counted (counterfactual: *): the guard stopped a call that the recorded run had made"]
    )
    assert project.results["metrics"]["runs"] == 1
    assert len(shop.paid) == 4, "nothing was called"


def test_a_suite_without_policies_says_so(shop: Shop, project: Project) -> None:
    shop.suite(ONE, head=HEAD.replace("policies: [./policy.yaml]\n", ""))
    project.record()
    result = project.evals()
    result.stdout.fnmatch_lines(["policy: none: 1 suite(s) let every known tool through: pay"])
    result.stdout.no_fnmatch_line("audit: *")


def test_a_policy_that_is_only_in_shadow_mode_is_none(shop: Shop, project: Project) -> None:
    shop.policy(POLICY.replace("  id: refunds\n", "  id: refunds\n  mode: shadow\n"))
    shop.suite(ONE)
    project.record()
    result = project.evals()
    assert shop.paid == []
    result.stdout.fnmatch_lines(["policy: none: 1 suite(s) let every known tool through: pay"])
    assert result.ret == 0


def test_an_unscripted_approval_is_interrupted_and_says_what_to_write(
    shop: Shop, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "1")
    shop.suite("- {id: one, task: go, setup: {amounts: [100]}}")
    result = project.evals("--agent-record=once", "--agent-allow-live")
    assert result.ret == 1
    assert shop.paid == []
    result.stdout.fnmatch_lines(["*pay.refund needs the approval of boss (rule refunds/2), and nobody answered: 0 of 1 given*"])
    result.stdout.fnmatch_lines(["*cure: script the answer in the case: approvals: *"])


def test_answers_that_nobody_asked_for_are_told(shop: Shop, project: Project) -> None:
    shop.suite("- {id: one, task: go, approvals: [{role: boss, by: ann, decision: approve}]}")
    project.record()
    result = project.evals()
    assert result.ret == 0
    result.stdout.fnmatch_lines(["approvals: 1 case(s) have answers of humans that nobody asked for: pay/one"])


# ---- what is wrong is an error at collection


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("version: 1\npolicy: {tool: pay.refund, rule: []}\n", "policy.yaml:2:28: unknown key 'rule'*"),
        (POLICY.replace("allow: true}", "allow: true, deny: true}"), "policy.yaml:6:*"),
        (POLICY.replace("allow: true", "allow: false"), "policy.yaml:6:*deny: true*"),
        (POLICY.replace("amount_usd <= 50", "pay(amount_usd)"), "policy.yaml:6:13: *"),
        (POLICY.replace("amount_usd <= 50", "amount_usd.real.__class__ <= 50"), "policy.yaml:6:*__class__*"),
        (POLICY.replace("amount_usd <= 50", "amount_usd ** 9 <= 50"), "policy.yaml:6:*"),
        (POLICY.replace("amount_usd <= 50", "[a for a in amount_usd]"), "policy.yaml:6:*"),
        (POLICY.replace("amount_usd <= 50", "amount_usd <="), "policy.yaml:6:*"),
        (POLICY + '    - within: {days: [mon-fri], from: "09:00", to: "18:00"}\n', "policy.yaml:10:*tz*"),
        (POLICY.replace("policy:", "roles: {boss: []}\npolicy:"), "policy.yaml:2:*nobody has this role*"),
        (POLICY.replace("policy:", "roles: {cfo: [ann]}\npolicy:"), "policy.yaml:*boss*"),
        (POLICY.replace("boss}", "{role: boss, count: 0}}"), "policy.yaml:7:*"),
        (POLICY.replace("id: refunds\n", "id: refunds\n  default: allow\n"), "policy.yaml:4:*only tier 0 is allowed by default*"),
        (POLICY.replace('> 50", require_approval: boss', '> 10", allow: true'), "policy.yaml:*tier 3*"),
        (POLICY.replace("tool: pay.refund", "tool: pay.refnd"), "pay.yaml:*is for none of the tools*did you mean*"),
        (POLICY.replace("card", "$.card["), "policy.yaml:9:*"),
        (POLICY.replace("card", "'$.card['"), "policy.yaml:9:36: redact_fields: '$.card[' is no JSON path: expected*"),
    ],
)  # fmt: skip
def test_mistakes_in_a_policy_file(text: str, says: str, shop: Shop, project: Project) -> None:
    shop.suite(ONE)
    project.suite("- {id: ok, task: go}", name="other", head="version: 1\nagent: ./agent.py:echo\n")
    shop.policy(text)
    result = project.evals("--agent-record=once")
    assert result.ret == 1
    result.stdout.fnmatch_lines([f"*cases/pay/{says}"])
    assert project.statuses == {"ok": "passed"}, "the other files run"
    assert shop.paid == []


def test_a_file_that_is_not_there(shop: Shop, project: Project) -> None:
    shop.suite(ONE, head=HEAD.replace("policy.yaml", "polic.yaml"))
    result = project.evals()
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*cases/pay/pay.yaml:4:*there is no file ./polic.yaml*did you mean 'policy.yaml'*"])


def test_a_name_that_is_an_argument_and_a_key_of_the_context(shop: Shop, project: Project) -> None:
    shop.suite("- {id: one, task: go, context: {amount_usd: 1}}")
    result = project.evals()
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["*cases/pay/policy.yaml:6:13: 'amount_usd' is an argument of pay.refund and a key of the context; write*"]
    )


def test_two_policies_of_one_id(shop: Shop, project: Project) -> None:
    project.write("cases/pay/more.yaml", POLICY)
    shop.suite(ONE, head=HEAD.replace("[./policy.yaml]", "[./policy.yaml, ./more.yaml]"))
    result = project.evals()
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*two policies with the id 'refunds'*"])


def test_a_field_that_is_named_by_its_place_and_not_by_a_path(shop: Shop, project: Project) -> None:
    """`payer.iban` is one key with a dot in it: nothing would be redacted, and nobody would know."""
    shop.policy(POLICY.replace("card", "payer.iban"))
    tools = TOOLS.replace('card: str = "", key: str = "") -> dict:', 'payer: Payer, card: str = "", key: str = "") -> dict:')
    payer = "from dataclasses import dataclass\n\n@dataclass\nclass Payer:\n    iban: str\n"
    shop.suite(ONE, tools=payer + tools)
    result = project.evals()
    assert result.ret == 1
    told = "redact_fields: 'payer.iban' is no key of pay.refund, so nothing is redacted; write $.payer.iban"
    result.stdout.fnmatch_lines([f"*cases/pay/policy.yaml:9:*{told}"])


BOTH = HEAD.replace("[./policy.yaml]", "[./policy.yaml, ./more.yaml]")
MORE = 'version: 1\n{roles}policy: {{id: more, tool: pay.refund, rules: [{{if: "amount_usd > 90", require_approval: {role}}}]}}\n'
ROLES = "roles: {boss: [dana, eve], cfo: [ann]}\n"
IN_CASE = "- id: one\n  task: go\n"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("", "bosss"), "more.yaml:2:*nobody has the role \"bosss\"*did you mean 'boss'*"),
        (
            ("roles: {boss: [ann]}\n", "boss"),
            "policy.yaml:8:*1 people of the role \"boss\" can never approve*(cases/pay/policy.yaml: dana, eve; *more.yaml: ann)*",
        ),
        (("roles: {boss: [eve]}\n", "{role: boss, escalate_to: [cfo, boss]}"), "more.yaml:3:*nobody has the role \"cfo\"*"),
    ],
)  # fmt: skip
def test_roles_are_held_against_all_files_of_a_case(more: tuple[str, str], says: str, shop: Shop, project: Project) -> None:
    shop.suite(ONE, head=BOTH)
    shop.policy(POLICY.replace("policy:", f"{ROLES}policy:"))
    project.write("cases/pay/more.yaml", MORE.format(roles=more[0], role=more[1]))
    result = project.evals("--agent-record=once")
    assert result.ret == 1
    result.stdout.fnmatch_lines([f"*cases/pay/{says}"])
    assert shop.paid == []


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ("  approvals: [{by: dana, decision: approve}, {role: bos, by: dana, decision: approve}]\n",
         "8:47: approvals.role: nobody has the role \"bos\"; expected one of boss, cfo; did you mean 'boss'?"),
        ("  budget: {tool_calls: 4, degrade: [{at: 0.5, require_approval: chef}]}\n",
         "8:47: budget.degrade.require_approval: nobody has the role \"chef\"; expected one of boss, cfo*"),
        ("  matrix: {approvals: [{id: a, value: []}, {id: b, value: [{role: bos, decision: reject}]}]}\n", "8:61: *bos*"),
    ],
)  # fmt: skip
def test_roles_that_a_case_names(fields: str, says: str, shop: Shop, project: Project) -> None:
    shop.suite(IN_CASE + fields)
    shop.policy(POLICY.replace("policy:", f"{ROLES}policy:"))
    result = project.evals("--agent-record=once")
    assert result.ret == 1
    result.stdout.fnmatch_lines([f"*cases/pay/pay.yaml:{says}"])
    assert shop.paid == []


def test_roles_that_a_case_may_name(shop: Shop, project: Project) -> None:
    """Anybody's role where no file says who has which; and somebody outside of a role answers, which then does not count."""
    cases = IN_CASE + "  setup: {amounts: [60]}\n  approvals: [{role: boss, by: NAME, decision: approve}]\n"
    shop.suite(cases.replace("NAME", "ann").replace("role: boss", "role: bos") + "  expect: {outcome: interrupted}\n")
    assert project.evals("-q", "--agent-mode=live", "--agent-allow-live").ret == 0
    shop.policy(POLICY.replace("policy:", f"{ROLES}policy:"))
    shop.suite(cases.replace("NAME", "ann"))
    result = project.evals("--agent-mode=live", "--agent-allow-live")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*did not count: ann does not have the role boss; it is that of dana, eve*"])


def test_a_floor_that_shows_only_with_the_fixtures_tools(shop: Shop, project: Project) -> None:
    """The tools are known when the case is set up: then nothing is called."""
    fixture = "@pytest.fixture\ndef bank():\n    import tools\n    return tools.refund\n"
    project.write("conftest.py", f"import pytest, sys\nsys.path.insert(0, 'cases/pay')\n\n{fixture}")
    shop.policy(POLICY.replace('> 50", require_approval: boss', '> 10", allow: true'))
    shop.suite(ONE, head=HEAD.replace("./tools.py:refund", "bank"))
    result = project.evals("--agent-record=once")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*cases/pay/policy.yaml:7:*tier 3*"])
    assert shop.paid == []


# ---- the other doors


def test_the_fixture(shop: Shop, project: Project) -> None:
    project.write("policy.yaml", POLICY)
    project.write("tools.py", TOOLS)
    project.write("agent.py", AGENT)
    project.write(
        "test_it.py",
        """
        import agent, tools

        YES = [{"role": "boss", "by": "ann", "decision": "approve"}]

        def test_one(agent_eval):
            words = {"policies": ["./policy.yaml"], "setup": {"amounts": [20, 100, 600]}, "approvals": YES}
            run = agent_eval("go", agent=agent.pays, tools=tools.refund, **words)
            assert [c.decision for c in run.calls] == ["allow", "approved", "deny"]
            assert run.pins.policy is not None
        """,
    )
    assert project.run("-q", "--agent-record=once", "test_it.py").ret == 0
    result = project.run("test_it.py")
    assert result.ret == 0, result.stdout.str()


def test_roles_that_the_fixture_names(shop: Shop, project: Project) -> None:
    project.write("policy.yaml", POLICY.replace("policy:", f"{ROLES}policy:"))
    project.write(
        "test_it.py",
        """
        def test_one(agent_eval):
            agent_eval("go", agent=print, policies=["./policy.yaml"], approvals=[{"role": "bos", "decision": "approve"}])
        """,
    )
    result = project.run("test_it.py")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*agent_eval: approvals.role: nobody has the role \"bos\"*did you mean 'boss'*"])


def test_a_transcript_under_a_policy(shop: Shop, project: Project) -> None:
    schema = {"type": "object", "properties": {"amount_usd": {"type": "number"}}}
    lines = [
        {
            "id": f"t{amount}",
            "tools": [{"type": "function", "function": {"name": "pay.refund", "parameters": schema}}],
            "messages": [
                {"role": "user", "content": "refund"},
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        {
                            "id": "c1",
                            "type": "function",
                            "function": {"name": "pay.refund", "arguments": json.dumps({"amount_usd": amount})},
                        }
                    ],
                },
                {"role": "tool", "tool_call_id": "c1", "content": "ok"},
                {"role": "assistant", "content": "done"},
            ],
        }
        for amount in (20, 600)
    ]
    project.write("t.jsonl", "\n".join(map(json.dumps, lines)))
    done = project.pytester.run(*cli(project, "import", "t.jsonl", "--suite", "old"))
    assert done.ret == 0, done.stderr.str()
    (suite,) = (project.path / "cases/old").glob("*.yaml")
    project.write("cases/old/policy.yaml", POLICY.replace("tool: pay.refund", "tool: pay.refund\n  tier: 3"))
    suite.write_text(suite.read_text().replace("cases:", "policies: [./policy.yaml]\ncases:", 1))
    (project.path / "cases/pay/policy.yaml").unlink()
    result = project.evals()
    runs = {case["id"]: case["trials"][0] for case in project.results["cases"]}
    assert runs["old/t20"]["calls"][0]["decision"] == "allow", result.stdout.str()
    assert runs["old/t600"]["calls"][0]["decision"] == "deny"
    assert runs["old/t600"]["labels"] == ["counterfactual"]
