"""The policy workbench in a session: policies are linted when their suites are collected, and played back against a baseline."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .commands import from_here
from .errors import AgentOpsError, CaseFileError, LoadError, Mistake
from .parts import Parts
from .schema.sentences import count
from .settings import Settings

if TYPE_CHECKING:
    from .loading.suite import LoadedSuite, Variant
    from .policy.lint.finding import Finding
    from .schema.contract import Contract

LINT: pytest.StashKey[dict[str, None]] = pytest.StashKey()
"""What was found, a text each, in the order in which it was."""
LATER: pytest.StashKey[dict[tuple[str, str], LoadedSuite | dict[str, Mistake]]] = pytest.StashKey()
"""Suites, by file and key, whose tools are known when a case is set up; then what was found there."""
PARTIAL = "partial: "
SHOWN = 10
OUTPUT = "agentops_lint"


def configure(config: pytest.Config, settings: Settings) -> None:
    """In every process: workers find, the controller tells."""
    config.stash[LINT] = {}
    config.stash[LATER] = {}
    config.pluginmanager.register(Workbench(config, settings), "agentops-workbench")


def lint_suite(config: pytest.Config, suite: LoadedSuite, parts: Mapping[str, Parts]) -> None:
    """Lint the policies of a suite over its tools; raises `CaseFileError` under --agent-policy-strict.

    Tools that a fixture makes are known when a case is set up: `lint_tools` looks at their policies then.
    """
    from .policies import contracts_of

    mistakes: dict[str, Mistake] = {}
    seen: set[str] = set()
    for variant in suite.variants:
        own = parts[variant.key]
        if not own.policies or variant.key in seen:
            continue
        seen.add(variant.key)
        contracts = contracts_of(variant, own)
        if contracts is not None:
            mistakes.update(_lint(suite, variant.key, own, contracts))
        elif config.getoption("collectonly", False):
            mistakes.update(_not_yet(suite, variant))
        else:
            config.stash[LATER][suite.file, variant.key] = suite
    _tell(config, mistakes)


def lint_tools(config: pytest.Config, variant: Variant, parts: Parts, contracts: Mapping[str, Contract]) -> None:
    """The same for tools that are known only now, once for all their cases; under --agent-policy-strict each of these fails."""
    key = variant.file, variant.key
    found = config.stash[LATER].get(key)
    if found is None:
        return
    if not isinstance(found, dict):
        found = config.stash[LATER][key] = _lint(found, variant.key, parts, contracts)
    try:
        _tell(config, found)
    except CaseFileError as error:
        raise LoadError(str(error)) from None


def _tell(config: pytest.Config, found: Mapping[str, Mistake]) -> None:
    from .settings import settings_of

    if settings_of(config).policy_strict and found:
        raise CaseFileError([*found.values()])
    partial = [text for text in found if text.startswith(PARTIAL)]
    config.stash[LINT].update(dict.fromkeys([*partial, *found]))


def _lint(suite: LoadedSuite, key: str, parts: Parts, contracts: Mapping[str, Contract]) -> dict[str, Mistake]:
    """What is found, by its text."""
    from .policy.lint.run import lint
    from .policy.lint.world import world_of

    cases = [variant.case() for variant in suite.variants if variant.key == key]
    report = lint([policy for file in parts.policies for policy in file.policies], world_of(parts.policies, contracts, cases))
    found = {str(finding): _as_mistake(finding) for finding in report.findings}
    hint = "split the policy, so that it can be looked at whole"
    return {**found, **{PARTIAL + why: _mistake(suite, 1, 1, PARTIAL + why, hint) for why in report.partial}}


def _not_yet(suite: LoadedSuite, variant: Variant) -> dict[str, Mistake]:
    line, col = variant.place("tools")
    text = f"{PARTIAL}{suite.file}:{line}: its tools are made when its cases are set up, and are not known here"
    return {text: _mistake(suite, line, col, text, "run the cases: their policies are looked at then")}


def _mistake(suite: LoadedSuite, line: int, col: int, found: str, hint: str) -> Mistake:
    return Mistake(file=suite.file, line=line, col=col, found=found, hint=hint)


def _as_mistake(finding: Finding) -> Mistake:
    m = finding.mistake
    shown = f" (where {finding.cell})" if finding.cell else ""
    return Mistake(file=m.file, line=m.line, col=m.col, found=f"{finding.code} {m.found}{shown}", allowed=m.allowed, hint=m.hint)


class Workbench:
    """Gathers what workers found, plays runs back when the results are written, and tells both."""

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        self.config = config
        self.settings = settings
        self.backtest: list[str] = []
        self.problem = ""

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """xdist: all workers collect the same."""
        self.config.stash[LINT].update(dict.fromkeys(getattr(node, "workeroutput", {}).get(OUTPUT, ())))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        output = getattr(self.config, "workeroutput", None)
        if output is not None:
            output[OUTPUT] = [*self.config.stash[LINT]]
            return
        if self.settings.policy_baseline is None or self.config.getoption("collectonly", False):
            return
        try:
            self.backtest = self._play_back(*self.settings.policy_baseline)
        except AgentOpsError as problem:
            self.problem = str(problem)
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    def _play_back(self, baseline: str, at: Path) -> list[str]:
        from .cli.policy.backtest import as_json, lines
        from .cli.policy.session import play_back
        from .schema.values import dumps

        settings, results = self.settings, self.settings.work / "results.json"
        (settings.work / "backtest.json").unlink(missing_ok=True)
        if not results.is_file():
            return ["no case ran, so nothing is played back"]
        found = play_back(results, baseline, at=at, rootdir=settings.rootdir, cases=settings.case_folders)
        (settings.work / "backtest.json").write_text(dumps(as_json(found), indent=2) + "\n", encoding="utf-8")
        return list(lines(found))

    def _lint_command(self) -> str:
        """What finds the same, where pytest was started."""
        folders = [from_here(self.config, folder) for folder in self.settings.case_folders if folder.is_dir()]
        return shlex.join(["pytest-agentops", "policy", "lint", *(folders if folders != ["cases"] else ())])

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        out = terminalreporter
        found = [*self.config.stash[LINT]]
        verbosity = self.config.get_verbosity()
        if found:
            out.section("policies")
            shown = found if verbosity > 0 else found[:SHOWN] if verbosity == 0 else []
            for text in shown:
                out.write_line(text if verbosity > 0 else text.partition("; ")[0].partition("\n")[0])
            part = f", {len(shown)} shown" if len(shown) < len(found) else ""
            said = f"{count(len(found), 'finding')} of the policy linter{part}"
            out.write_line(f"{said}; in full: {self._lint_command()}; as errors: --agent-policy-strict")
        if self.backtest:
            out.section("policy backtest")
            for text in self.backtest:
                out.write_line(text)
        if self.problem:
            out.write_line(f"ERROR: --agent-policy-baseline: {self.problem}", red=True, bold=True)
