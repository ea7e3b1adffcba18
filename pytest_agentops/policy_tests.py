"""The tests inside policy files, as pytest items: ``cases/refunds/policy.yaml::refunds[small standard]``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .errors import CheckFailed
from .schema.contract import Contract

if TYPE_CHECKING:
    from .policy.model import Policy, PolicyFile, PolicyTest

Given = Sequence[tuple[str, Mapping[str, Contract]]]
"""Suite -> the contracts of its tools."""


class PolicyItem(pytest.Function):
    """One test of a policy; decided anew from the file, with nothing else involved."""

    file: PolicyFile
    policy: Policy
    test: PolicyTest
    given: Given
    broken: Sequence[str]
    """Suites that may name the file and do not load."""

    @classmethod
    def make(cls, parent: pytest.Module, file: PolicyFile, policy: Policy, test: PolicyTest) -> PolicyItem:
        item: PolicyItem = cls.from_parent(parent, name=f"{policy.id}[{test.name}]", callobj=_unreachable)
        item.file, item.policy, item.test = file, policy, test
        return item

    def decide(self) -> None:
        """Raise `CheckFailed` where a decision is not what the test expects."""
        from .policy.binding import bind
        from .policy.decide import decide
        from .policy.expected import differences, request_of, stand_in, tool_of

        tool = tool_of(self.policy, self.test)
        with_tool = [(suite, contracts[tool]) for suite, contracts in self.given if tool in contracts]
        worlds = with_tool or [("no suite declares the tool: it is made up from the test", stand_in(self.policy, self.test))]
        wrong: list[str] = []
        for suite, contract in worlds:
            bound = bind(self.file.policies, {tool: contract})
            said = differences(self.policy, self.test, decide(bound, request_of(self.policy, self.test)))
            if said:
                wrong += [f"  {line}" for line in said]
                wrong.append(f"  tool: {tool}, tier {int(bound.tools[tool].tier)} ({contract.where or suite})")
        if wrong:
            if not with_tool and self.broken:
                wrong.append(f"  perhaps only since a suite does not load, cure that first: {', '.join(self.broken)}")
            head = f"policy test {self.policy.id}: {self.test.name}"
            lines = [head, f"{self.test.file}:{self.test.line}", "", *dict.fromkeys(wrong), "", f"run it again: {self._again()}"]
            raise CheckFailed("\n".join(lines))

    def _again(self) -> str:
        import shlex

        return f"pytest --agent-evals {shlex.quote(self.nodeid)}"

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, self.test.line - 1, self.name

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, CheckFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo)


def _unreachable() -> None:
    raise AssertionError("unreachable: the session's pytest_pyfunc_call decides the test")


def policy_items(parent: pytest.Module, file: PolicyFile, given: Given, broken: Sequence[str]) -> Iterator[PolicyItem]:
    """The tests of every policy of the file."""
    for policy in file.policies:
        for test in policy.tests:
            item = PolicyItem.make(parent, file, policy, test)
            item.given, item.broken = given, broken
            yield item
