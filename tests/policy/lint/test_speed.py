"""The linter is fast enough to run at every collection: the best of a few rounds, far above what it takes, for busy machines."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable

from pytest_agentops.policy.lint.finding import Report
from pytest_agentops.policy.lint.run import lint
from pytest_agentops.policy.lint.world import World

from ..conftest import FOUNDING, contract, policies_of, rules


def best(work: Callable[[], Report], rounds: int) -> tuple[float, Report]:
    times = []
    for _ in range(rounds):
        start = time.process_time()
        report = work()
        times.append(time.process_time() - start)
    return min(times), report


def test_the_founding_policy_takes_less_than_10_ms() -> None:
    policies, made = policies_of(FOUNDING), contract()
    seconds, report = best(lambda: lint(policies, World(contracts={made.name: made})), 10)
    assert report.findings
    assert seconds < (0.010 if sys.gettrace() is None else 0.1)


def test_100_rules_over_8_attributes_take_less_than_5_s_or_say_partial() -> None:
    chance = random.Random(1)

    def atom() -> str:
        number = chance.randrange(8)
        if number % 2:
            return f"a{number} {chance.choice(['<', '<=', '>', '>='])} {chance.choice([10, 50, 100, 200, 500])}"
        return chance.choice([f"a{number} == '{chance.choice('xyz')}'", f"a{number} in ['x', 'y']"])

    effects = ["allow: true", "require_approval: m", "deny: true"]
    lines = [f'{{if: "{" and ".join(atom() for _ in range(3))}", {chance.choice(effects)}}}' for _ in range(100)]
    policies = policies_of(rules(*lines, more="tier: 3"))
    seconds, report = best(lambda: lint(policies, World()), 2)
    assert seconds < (5 if sys.gettrace() is None else 30)  # coverage looks at every line
    assert not report.clean
    assert "cells are too many: rules were compared in pairs" in report.partial[0]
