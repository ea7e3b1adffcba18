"""The fixture `agent_eval`: the same run, checks and recording as a case, from Python."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from operator import methodcaller
from pathlib import Path
from typing import Any

import pytest

from . import code
from .collect import SUITES
from .commands import Commands
from .errors import AgentOpsError, CheckFailed, UsageError
from .late import late_calls
from .parts import make_toolbox
from .people import governing
from .policies import PolicyFiles, wrong_roles
from .registry import Registry
from .reports.results import case_json
from .runner.events import write_events
from .runner.run import Trial, run_trial
from .schema.case import Case
from .schema.run import Run
from .schema.values import JsonObject
from .scoring.judge import judge, verdict
from .settings import settings_of

LONGEST = 80
_PYTESTS_OWN = ("trials", "pass_if", "matrix", "skip", "xfail", "tags", "fixtures")
"""Fields of a case that an ordinary test says in pytest's own words."""

_TAKEN = pytest.StashKey[dict[tuple[str, str], str]]()
"""(suite, id) -> the test that records under it."""
_SUITES = pytest.StashKey[dict[str, Path]]()
"""Suite -> the test module that it stands for."""
_REGISTRY = pytest.StashKey[Registry]()


class Ran:
    """The runs of one ordinary test, each a case of the results; told once, as those of a case are."""

    def __init__(self) -> None:
        self._cases: dict[str, Case] = {}
        self._runs: dict[str, list[Run]] = {}

    def add(self, case: Case, run: Run) -> None:
        self._cases[case.id] = case
        self._runs.setdefault(case.id, []).append(run)

    @property
    def untold(self) -> bool:
        """Whether a run came since the last report."""
        return any(self._runs.values())

    def told(self) -> list[JsonObject]:
        """The cases with the runs that no report has told of yet."""
        runs, self._runs = self._runs, {}
        return [_json(case, runs.get(ident, [])) for ident, case in self._cases.items()]


def _json(case: Case, runs: list[Run]) -> JsonObject:
    return case_json(
        id=f"{case.suite}/{case.id}",
        suite=case.suite,
        variant=None,
        file=case.file,
        line=case.line,
        tags=(),
        trials=[run.as_json() for run in runs],
    )


RAN = pytest.StashKey[Ran]()


class AgentEval:
    """Runs an agent on a task; call it with what the marker does not say already."""

    def __init__(self, node: pytest.Item, test: Callable[..., Any], given: dict[str, Any]) -> None:
        path, line, _ = node.reportinfo()
        self._node = node
        self._settings = settings_of(node.config)
        self._given = given
        self._path = Path(path)
        self._file = _shown(self._path, self._settings.rootdir)
        self._line = (line or 0) + 1
        self._suite = ""
        self._name = _name(node, test)
        self._ids: set[str] = set()
        self._checks = _registry(node.config).external("checks")
        self._commands = Commands(node, self._settings, evals=False)

    @classmethod
    def of(cls, request: pytest.FixtureRequest) -> AgentEval:
        """For one test: its marker's words, its module's place as the suite, its own name as the case's."""
        given: dict[str, Any] = {}
        for mark in request.node.iter_markers("agent_eval"):  # the closest comes first and wins
            given = {**({"task": mark.args[0]} if mark.args else {}), **mark.kwargs, **given}
        return cls(request.node, request.function, given)

    def __call__(self, task: str | None = None, /, **fields: Any) -> Run:
        """One trial of `agent` on `task`; raises `CheckFailed` unless it succeeded (``check=False`` gives the run back).

        `agent` and `tools` are the objects themselves; `id` names the recording (default: the test's name); every other word
        is a field of a case (`setup`, `expect`, `budget`...).
        """
        __tracebackhide__ = methodcaller("errisinstance", AgentOpsError)
        words = {**self._given, **fields}
        if task is not None:
            words["task"] = task
        agent = words.pop("agent", None)
        if not callable(agent):
            raise UsageError("agent_eval needs agent=, a callable agent(task, tools)")
        tools = words.pop("tools", None)
        check = words.pop("check", True)
        case = self._case(words)
        policies = PolicyFiles(self._settings.rootdir).named(case.fields.policies or (), self._path.parent)
        nobody = [f"{said}; {allowed}; {hint}".rstrip("; ") for _, (said, allowed, hint) in wrong_roles(case, policies)]
        if nobody:
            raise UsageError("agent_eval: " + "\n".join(nobody))
        parts = () if tools is None else (tools,)
        run = run_trial(
            Trial(
                case=case,
                number=1,
                agent=agent,
                make_toolbox=lambda: make_toolbox(parts, ("tools",) * len(parts), case).toolbox,
                mode=self._settings.mode,
                record=self._settings.record,
                cassettes=self._settings.cassettes,
                on_late=late_calls(self._node.config).listener(self._node, case, 1),
                policies=policies,
                **governing(self._node.config, self._settings, audited=bool(policies)),
            )
        )
        self._commands.fill_in(run, case)
        judge(run, case, python=self._python(case), extra_checks=self._checks if case.more_checks else {})
        self._write_events(run, case)
        self._node.stash.setdefault(RAN, Ran()).add(case, run)
        if check and not run.success:
            self._raise(run, case)
        return run

    def _case(self, words: dict[str, Any]) -> Case:
        from .loading.suite import case_from

        foreign = [word for word in _PYTESTS_OWN if word in words]
        if foreign:
            raise UsageError(f"agent_eval takes no {foreign[0]}: it runs once; use pytest's own marks and parametrize")
        self._suite = _suite_of(self._node.config, self._path, self._file)
        ident = self._ident(words.pop("id", self._name))
        expect, more = words.get("expect"), {}
        if isinstance(expect, Mapping):
            more = {key: expect[key] for key in sorted(self._checks) if key in expect}
            words["expect"] = {key: value for key, value in expect.items() if key not in more}
        case = case_from(words, id=ident, suite=self._suite, file=self._file, line=self._line)
        return replace(case, more_checks=more)

    def _ident(self, given: object) -> str:
        """The id of this run; two that are equal would share one recording."""
        if given is None:
            raise UsageError("a parametrized test has to name its recording: agent_eval(id='...')")
        ident = slug(str(given))
        taken = self._node.config.stash.setdefault(_TAKEN, {})
        other = taken.setdefault((self._suite, ident), self._node.nodeid)
        if ident in self._ids or other != self._node.nodeid:
            whose = "this test" if other == self._node.nodeid else other
            raise UsageError(
                f"agent_eval: {whose} has recorded a run as {self._suite}/{ident} already: give this one its own id="
            )
        self._ids.add(ident)
        return ident

    def _python(self, case: Case) -> dict[str, Callable[..., Any]]:
        named = case.fields.expect.python if case.fields.expect else None
        refs = (named,) if isinstance(named, str) else named or ()
        return {ref: code.load(ref, self._path.parent) for ref in refs}

    def _write_events(self, run: Run, case: Case) -> None:
        path = self._settings.work / "runs" / case.suite / f"{case.name}.jsonl"
        run.events = path.relative_to(self._settings.rootdir).as_posix()
        write_events(run, path)

    def _raise(self, run: Run, case: Case) -> None:
        from .reports.failure import explain

        __tracebackhide__ = True
        raise CheckFailed(explain(case, [run], verdict(case, [run]), rerun=self._commands.again(case, [run])))


def _registry(config: pytest.Config) -> Registry:
    """What packages and conftests register; the session's own is not there without the flag."""
    found = config.stash.get(_REGISTRY, None)
    if found is None:
        found = config.stash[_REGISTRY] = Registry(config)
    return found


def _suite_of(config: pytest.Config, path: Path, file: str) -> str:
    """The module's path from the rootdir as a suite's name: two modules of one name are two suites."""
    name = slug(str(Path(file).with_suffix("")).replace(os.sep, "-"))
    if len(name) == LONGEST:
        name = f"{name[: LONGEST - 9]}-{hashlib.sha256(file.encode()).hexdigest()[:8]}"
    other = config.stash.setdefault(_SUITES, {}).setdefault(name, path)
    suites = config.stash.get(SUITES, None)
    if other == path and suites is not None:
        other = suites.named(name) or path
    if other != path:
        theirs = _shown(other, config.rootpath)
        raise UsageError(f"agent_eval: the suite of {file} is called {name}, and so is that of {theirs}: rename one of them")
    return name


def _name(node: pytest.Item, test: Callable[..., Any]) -> str | None:
    """The test's name, with its class; None if it is parametrized, since each point needs a recording of its own."""
    name: str = test.__name__
    if node.name != name:
        return None
    owner = getattr(node, "cls", None)
    return name if owner is None else f"{owner.__name__}-{name}"


def _shown(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def slug(text: str) -> str:
    """A case id from a name: lower case, others than letters, digits, - and _ become -."""
    return re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-_")[:LONGEST] or "x"
