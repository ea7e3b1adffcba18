"""The fixture `agent_eval`: the same run, checks and recording as a case, from Python."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from .errors import CheckFailed, UsageError
from .parts import make_toolbox
from .runner.events import write_events
from .runner.run import Trial, run_trial
from .schema.case import Case
from .schema.run import Run
from .scoring.judge import judge, verdict
from .settings import Settings, settings_of


class AgentEval:
    """Runs an agent on a task; call it with what the marker does not say already."""

    def __init__(self, settings: Settings, suite: str, name: str, given: Mapping[str, Any], file: str, line: int) -> None:
        self._settings = settings
        self._suite = suite
        self._name = name
        self._given = dict(given)
        self._file = file
        self._line = line
        self._ids: set[str] = set()

    @classmethod
    def of(cls, request: pytest.FixtureRequest) -> AgentEval:
        """For one test: its marker's words, its module's name as the suite, its function's name as the case."""
        given: dict[str, Any] = {}
        for mark in request.node.iter_markers("agent_eval"):
            words = dict(mark.kwargs)
            if mark.args:
                words.setdefault("task", mark.args[0])
            given = {**words, **given}
        path, line, _ = request.node.reportinfo()
        name = request.function.__name__
        if request.node.name != name and "id" not in given:
            given["id"] = None  # a parametrized test must name its recording itself
        settings = settings_of(request.config)
        relative = (
            request.path.relative_to(settings.rootdir).as_posix() if request.path.is_relative_to(settings.rootdir) else str(path)
        )
        return cls(settings, slug(request.path.stem), name, given, relative, (line or 0) + 1)

    def __call__(self, task: str | None = None, /, *, check: bool = True, **fields: Any) -> Run:
        """One trial of ``agent`` on ``task``; raises `CheckFailed` unless it succeeded (with ``check=False`` it gives the run back).

        ``agent`` and ``tools`` are the objects themselves; every other word is a field of a case (``setup``, ``expect``, ``budget``...).
        """
        from .loading.suite import case_from

        words = {**self._given, **fields}
        if task is not None:
            words["task"] = task
        agent: Callable[..., Any] | None = words.pop("agent", None)
        tools = words.pop("tools", ())
        if agent is None or not callable(agent):
            raise UsageError("agent_eval needs agent=, a callable agent(task, tools)")
        check = words.pop("check", check)
        ident = self._ident(words)
        case = case_from(words, id=ident, suite=self._suite, file=self._file, line=self._line)
        parts = (tools,) if tools else ()
        run = run_trial(
            Trial(
                case=case,
                number=1,
                agent=agent,
                make_toolbox=lambda: make_toolbox(parts, ("tools",) * len(parts), case).toolbox,
                mode=self._settings.mode,
                record=self._settings.record,
                cassettes=self._settings.cassettes,
            )
        )
        judge(run, case, python={})
        self._events(run, case)
        if check and not run.success:
            self._raise(run, case)
        return run

    def _ident(self, words: dict[str, Any]) -> str:
        given = words.pop("id", self._name)
        if given is None:
            raise UsageError("a parametrized test has to name its recording: agent_eval(id='...')")
        ident = slug(str(given))
        if ident in self._ids:
            raise UsageError(f"agent_eval: two runs of one test are called {ident!r}: give the second its own id=")
        self._ids.add(ident)
        return ident

    def _events(self, run: Run, case: Case) -> None:
        path = self._settings.work / "runs" / case.suite / f"{case.name}.jsonl"
        run.events = path.relative_to(self._settings.rootdir).as_posix()
        write_events(run, path)

    def _raise(self, run: Run, case: Case) -> None:
        from .reports.failure import explain

        raise CheckFailed(explain(case, [run], verdict(case, [run]), rerun=f"pytest '{self._file}' -k {self._name}"))


def slug(text: str) -> str:
    """A case id from a name: lower case, others than letters, digits, - and _ become -."""
    return re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-_")[:80] or "x"
