"""The session's settings: command line, then ini, then built-in."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from decimal import Decimal
from fnmatch import fnmatch
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar, get_args

import pytest

from .plugin import ini_name
from .runner.modes import MODES, RECORD_WORDS, Record, goes_live
from .schema.run import Mode
from .schema.suggest import did_you_mean

T = TypeVar("T", bound=str)
CONFIRMING = "PYTEST_AGENTOPS_CONFIRM"
"""Set in the process that runs live trials a second time."""
Audit: TypeAlias = Literal["policies", "all"]
BaselineWord: TypeAlias = Literal["check", "update", "ignore"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How this session runs."""

    rootdir: Path
    mode: Mode
    record: Record
    cassettes: Path
    case_folders: tuple[Path, ...]
    ignore: tuple[str, ...]
    trials: int | None
    model: str | None
    """What every case's model is replaced by."""
    reports: tuple[tuple[str, Path], ...]
    allow_live: bool
    budget_usd: Decimal | None
    """What all live runs of the session may spend."""
    policy_baseline: tuple[str, Path] | None = None
    """Older policies, and the folder from which they are named."""
    """The policies that the runs are played back under once more."""
    policy_strict: bool = False
    """What the linter finds is an error."""
    audit: Audit
    """Which cases the audit log tells of."""
    baseline: BaselineWord = "check"
    """What is done with the baseline."""
    baseline_file: Path = Path("agentops-baseline.json")
    gates: tuple[str, ...] = ()
    """Gates over the whole session, as the ini file has them."""
    work: Path = field(init=False)
    """Where results and events go."""

    def __post_init__(self) -> None:
        work = self.rootdir / ".agentops"
        object.__setattr__(self, "work", work / "confirm" if CONFIRMING in os.environ else work)

    def ignores(self, path: Path) -> bool:
        """Whether ini ``agentops_ignore`` names this file: a glob on its name, or with a slash on its path from the rootdir."""
        relative = os.path.relpath(path, self.rootdir).replace(os.sep, "/").split("/")
        return any(_matches(relative if "/" in glob else relative[-1:], glob.split("/")) for glob in self.ignore)

    def reads(self, path: str) -> bool:
        """Whether a YAML file is read without being named: it lies in a case folder and is not ignored."""
        inside = any(path.startswith(f"{folder}{os.sep}") for folder in self.case_folders)
        return inside and not (self.ignore and self.ignores(Path(path)))


def _matches(path: list[str], glob: list[str]) -> bool:
    """A glob part by part; ``**`` stands for any number of folders."""
    if not glob or not path:
        return glob == path or glob == ["**"]
    if glob[0] == "**":
        return _matches(path, glob[1:]) or _matches(path[1:], glob)
    return fnmatch(path[0], glob[0]) and _matches(path[1:], glob[1:])


SETTINGS = pytest.StashKey[Settings]()


def under_ci() -> bool:
    """``CI`` is on unless empty, 0 or false."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false")


def settings_of(config: pytest.Config) -> Settings:
    """The settings, read once a session; raises `pytest.UsageError` (exit 4) for wrong ones."""
    found = config.stash.get(SETTINGS, None)
    if found is None:
        found = config.stash[SETTINGS] = _read(config)
    return found


def _read(config: pytest.Config) -> Settings:
    mode = _word("--agent-mode", _value(config, "--agent-mode") or "replay", MODES)
    record = _word("--agent-record", _value(config, "--agent-record") or "none", RECORD_WORDS)
    allow_live = bool(config.getoption("agent_allow_live") or config.getini("agentops_allow_live"))
    if goes_live(mode, record) and under_ci() and not allow_live:
        raise pytest.UsageError(
            f"--agent-mode={mode} --agent-record={record} calls models or tools for real or writes recordings, and CI is set: "
            "add --agent-allow-live if that is meant"
        )
    if _value(config, "--agent-baseline") == "update" and under_ci() and not allow_live:
        raise pytest.UsageError(
            "--agent-baseline=update writes what builds are compared with, and CI is set: a build must not approve itself; "
            "update it where a person looks at the diff, or add --agent-allow-live if that is meant"
        )
    root = config.rootpath
    return Settings(
        rootdir=root,
        mode=mode,
        record=record,
        cassettes=_below(root, "--agent-cassettes", _value(config, "--agent-cassettes") or "cassettes"),
        case_folders=tuple(Path(os.path.normpath(root / folder)) for folder in config.getini("agentops_cases")),
        ignore=tuple(config.getini("agentops_ignore")),
        trials=_trials(_value(config, "--agent-trials")),
        model=_value(config, "--agent-model") or None,
        reports=tuple(_report(r, root) for r in [*config.getini("agentops_report"), *config.getoption("agent_report")]),
        allow_live=allow_live,
        budget_usd=_dollars("--agent-budget-usd", _value(config, "--agent-budget-usd")),
        policy_baseline=_baseline(config),
        policy_strict=bool(config.getoption("agent_policy_strict") or config.getini("agentops_policy_strict")),
        audit=_word("--agent-audit", _value(config, "--agent-audit") or "policies", get_args(Audit)),
        baseline=_word("--agent-baseline", _value(config, "--agent-baseline") or "check", get_args(BaselineWord)),
        baseline_file=_below(root, "agentops_baseline_file", config.getini("agentops_baseline_file"), what="file"),
        gates=tuple(config.getini("agentops_gates")),
    )


def _value(config: pytest.Config, option: str) -> str:
    given = config.getoption(option.removeprefix("--").replace("-", "_"))
    return str(given if given is not None else config.getini(ini_name(option)))


def _baseline(config: pytest.Config) -> tuple[str, Path] | None:
    """What a person types is named from where pytest was started, what an ini file says from the rootdir."""
    text = _value(config, "--agent-policy-baseline")
    typed = config.getoption("agent_policy_baseline") is not None
    return (text, config.invocation_params.dir if typed else config.rootpath) if text else None


def _word(option: str, word: str, allowed: tuple[T, ...]) -> T:
    for known in allowed:
        if word == known:
            return known
    hint = did_you_mean(word, allowed)
    raise pytest.UsageError(f"{option}={word}: expected one of {', '.join(allowed)}" + (f"; {hint}" if hint else ""))


def _below(root: Path, option: str, folder: str, what: str = "folder") -> Path:
    """A folder or file of the project: results name recordings by their place in it."""
    path = Path(os.path.normpath(root / folder))
    if not path.is_relative_to(root):
        raise pytest.UsageError(f"{option}={folder}: expected a {what} under the rootdir {root}")
    return path


def _trials(text: str) -> int | None:
    if not text:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise pytest.UsageError(f"--agent-trials={text}: expected a whole number from 1")
    return int(text)


def _dollars(option: str, text: str) -> Decimal | None:
    if not text:
        return None
    if not re.fullmatch(r"\d{1,12}(\.\d{1,12})?", text):
        raise pytest.UsageError(f"{option}={text}: expected dollars, such as 2.50")
    return Decimal(text)


def _report(text: str, root: Path) -> tuple[str, Path]:
    name, colon, path = text.partition(":")
    if not colon or not path:
        raise pytest.UsageError(f"--agent-report={text}: expected NAME:PATH, such as json:out/results.json")
    return name, root / path
