"""Commands that a person can copy: run this again, record it again, with what this session was given."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

import pytest

from .runner.modes import RECORD_WORDS, has_recording
from .schema.case import Case
from .schema.run import Problem, Run
from .settings import Settings
from .tape.cassette import hybrid_command, model_command, record_command
from .tape.store import folder_for


class Commands:
    """The commands for one case or one ordinary test; exact node ids, since ``-k`` is a match of substrings."""

    def __init__(self, item: pytest.Item, settings: Settings, *, evals: bool = True) -> None:
        self._settings = settings
        self._words = ["pytest", *(["--agent-evals"] if evals else []), *given(item.config)]
        self._node = shlex.quote(_node_from_here(item))
        self._allow = ["--agent-allow-live"] if item.config.getoption("agent_allow_live") else []

    def again(self, case: Case, runs: list[Run]) -> str:
        """Runs it again. Where nothing was kept that could be replayed, in the way it was recorded."""
        mode, record = self._settings.mode, self._settings.record
        kept = all(has_recording(folder_for(self._settings.cassettes, case.suite, case.name, run.trial)) for run in runs)
        words = [f"--agent-mode={mode}"] if mode != "replay" else []
        words += [f"--agent-record={record}"] if record != "none" and not kept else []
        return self._line(words)

    def record(self, word: str) -> str:
        """Records it: what is missing (``once``), what is new (``new_episodes``), or all of it again."""
        return self._line([f"--agent-record={word}"])

    def _line(self, words: list[str]) -> str:
        return " ".join([*self._words, *words, *(self._allow if words else []), self._node])

    def fill_in(self, run: Run, case: Case) -> None:
        """Put these commands where the tape, which knows no node ids, wrote its own."""
        folder = folder_for(self._settings.cassettes, case.suite, case.name).name
        ours = {record_command(folder, word): self.record(word) for word in RECORD_WORDS if word != "none"}
        ours[model_command(folder)] = self._line(["--agent-mode=hybrid", "--agent-record=all"])
        ours[hybrid_command(folder)] = self._line(["--agent-mode=hybrid"])
        run.stop = _said(run.stop, ours)
        run.stale[:] = _said(run.stale, ours)
        # in place: the session's list stays the run's, for calls that come late
        run.problems[:] = [Problem(kind=p.kind, text=_said(p.text, ours), data=_said(p.data, ours)) for p in run.problems]


def _said(value: Any, ours: dict[str, str]) -> Any:
    """The same JSON value with other commands in its texts."""
    if isinstance(value, str):
        for theirs, command in ours.items():
            value = value.replace(theirs, command)
        return value
    if isinstance(value, list):
        return [_said(one, ours) for one in value]
    if isinstance(value, dict):
        return {key: _said(one, ours) for key, one in value.items()}
    return value


def given(config: pytest.Config) -> list[str]:
    """The options of this session that change what is run, as the command line takes them."""
    words = []
    for option in ("--agent-trials", "--agent-model", "--agent-cassettes"):
        value = config.getoption(option.removeprefix("--").replace("-", "_"), None)
        words += [f"{option}={value}"] if value is not None else []
    words += [f"-o {shlex.quote(ini)}" for ini in config.getoption("override_ini", None) or () if ini.startswith("agentops_")]
    for option, name in (("-c", "inifilename"), ("--rootdir", "rootdir")):
        value = config.getoption(name, None)
        words += [f"{option} {shlex.quote(str(value))}"] if value else []
    return words


def from_here(config: pytest.Config, path: str | Path) -> str:
    """A path below the rootdir as the command line takes it where pytest was started."""
    try:
        found = os.path.relpath(config.rootpath / path, config.invocation_params.dir)
    except ValueError:  # another drive
        found = str(config.rootpath / path)
    return found.replace(os.sep, "/")


def _node_from_here(item: pytest.Item) -> str:
    path, colons, name = item.nodeid.partition("::")
    return f"{from_here(item.config, path)}{colons}{name}"
