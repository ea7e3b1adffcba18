"""A folder with the founding policy and a suite that declares its tool."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_agentops.cli import main as cli

from ...founding import FOUNDING

__all__ = ["FOUNDING", "SUITE", "TESTS", "Said"]

SUITE = """\
version: 1
suite: refunds
agent: transcript
contracts:
  payments.refund:
    parameters:
      type: object
      properties: {amount_usd: {type: number}, card_number: {type: string}, bank_account: {type: string}}
      required: [amount_usd]
    returns: {type: object, properties: {id: {type: string}}}
    effect: write
    tier: 3
defaults: {context: {customer_tier: standard}}
cases: [{id: small, task: x}]
"""
TESTS = """\
  tests:
    - {name: small standard, args: {amount_usd: 20}, context: {customer_tier: standard}, expect: allow, rule: 1}
    - {name: no tier, args: {amount_usd: 20}, expect: deny, reason: indeterminate}
"""

Said = tuple[int, str, str]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder, which is also where the command runs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "policy.yaml").write_text(FOUNDING + TESTS)
    (tmp_path / "cases" / "refunds.yaml").write_text(SUITE)
    return tmp_path


@pytest.fixture
def policy(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Run ``pytest-agentops policy ...``: exit code, output, errors."""

    def policy(*words: str) -> Said:
        try:
            code = cli.main(["policy", *words])
        except SystemExit as left:
            code = int(left.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return policy
