"""What the guard costs a call: a tool behind contract, one policy of ten rules and budget, beside the function called directly.

    python -m benchmarks.guard

The session is a real one (``--agent-mode=live``, nothing recorded), the policy is parsed once. Figures are medians over rounds of
each contender in turn, in microseconds of CPU a call.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from pytest_agentops import Task, Toolbox, tool
from pytest_agentops.audit.log import AuditLog
from pytest_agentops.loading.suite import case_from
from pytest_agentops.policy.files import load_text
from pytest_agentops.runner.run import Trial, run_trial

GOAL_US = 50.0
"""What deciding may add to a call."""
CALLS = 2000
ROUNDS = 7
POLICY = """\
version: 1
policy:
  tool: "payments.refund"
  rules:
    - {if: "context.country in ['AA', 'BB']", deny: true}
    - {if: "amount_usd > 5000", deny: true}
    - {if: "amount_usd <= 10 and customer_tier == 'standard'", allow: true}
    - {if: "amount_usd <= 20 and customer_tier == 'pro'", allow: true}
    - {if: "amount_usd <= 30 and customer_tier in ['gold', 'silver']", allow: true}
    - {if: "amount_usd <= 50 and customer_tier in ['standard', 'pro']", allow: true}
    - {if: "amount_usd <= 200 and customer_tier == 'enterprise'", allow: true}
    - {if: "amount_usd > 50", require_approval: support_manager}
    - log: {redact_fields: [card_number]}
    - limit: {per: session, max: 1000000000}
"""


@tool("payments.refund", effect="irreversible", tier=3)
def refund(order_id: str, amount_usd: float) -> str:
    """Pay money back."""
    return order_id


def cost_us(call: Callable[[], object]) -> float:
    """CPU microseconds a call."""
    begun = time.process_time()
    for _ in range(CALLS):
        call()
    return (time.process_time() - begun) / CALLS * 1e6


def guarded(*, policy: bool, log: AuditLog | None = None) -> float:
    """The same through the guard of a live trial."""
    measured: list[float] = []

    def agent(task: Task, tools: Toolbox) -> None:
        measured.append(cost_us(lambda: tools.call("payments.refund", order_id="W-1", amount_usd=45)))

    words = {"task": "t", "context": {"country": "DE", "customer_tier": "pro"}, "budget": {"tool_calls": 10**9, "steps": 10**9}}
    trial = Trial(
        case=case_from(words, id="one", suite="bench", file="bench.py", line=1),
        number=1,
        agent=agent,
        make_toolbox=lambda: Toolbox([refund]),
        mode="live",
        record="none",
        cassettes=Path("cassettes"),
        policies=(load_text(POLICY, file="policy.yaml"),) if policy else (),
        audit=log,
    )
    run = run_trial(trial)
    if run.outcome != "completed" or any(c.decision != "allow" for c in run.calls):
        raise SystemExit(f"the run went wrong: {run.outcome}: {run.stop}")
    return measured[0]


def measured() -> dict[str, list[float]]:
    """Each contender in turn, some rounds of it."""
    rows: dict[str, list[float]] = {}
    with TemporaryDirectory() as folder:
        for number in range(ROUNDS):
            log = AuditLog(Path(folder), f"bench{number}", run_id="bench", payloads=False)
            rows.setdefault("the function itself", []).append(cost_us(lambda: refund("W-1", 45)))
            rows.setdefault("through the guard, no policy", []).append(guarded(policy=False))
            rows.setdefault("with a policy of ten rules", []).append(guarded(policy=True))
            rows.setdefault("with the policy and the audit log", []).append(guarded(policy=True, log=log))
            log.close()
    return rows


def added_by_policy(rows: dict[str, list[float]]) -> float:
    """What deciding adds to a call, in microseconds."""
    pairs = zip(rows["with a policy of ten rules"], rows["through the guard, no policy"], strict=True)
    return statistics.median(a - b for a, b in pairs)


def main() -> int:
    rows = measured()
    for name, values in rows.items():
        print(f"{name:<36}{statistics.median(values):8.1f} us a call")
    added = added_by_policy(rows)
    verdict = "ok" if added <= GOAL_US else "MISSED"
    print(f"{'the policy adds':<36}{added:8.1f} us a call (goal: {GOAL_US:g}): {verdict}")
    return 0 if added <= GOAL_US else 1


if __name__ == "__main__":
    sys.exit(main())
