"""What a schema cannot say of policies, approvals, budgets and the checks on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..schema import operators
from ..schema.case import DETECTORS
from ..schema.governed import LIMITS, SHARED
from ..schema.suggest import did_you_mean
from ..schema.values import JsonObject

Say = Callable[..., None]
Place = tuple[str | int, ...]

_ACTS = ("model", "writes", "require_approval")


def check(case: JsonObject, base: Path, say: Say) -> None:
    """Note what is wrong with what governs one merged case."""
    for index, file in enumerate(case.get("policies") or ()):
        _policy_file(file, base, ("policies", index), say)
    for index, entry in enumerate(case.get("approvals") or ()):
        _approval(entry, ("approvals", index), say)
    _degrade(case.get("budget") or {}, say)


def _policy_file(file: str, base: Path, here: Place, say: Say) -> None:
    if (base / file).is_file():
        return
    folder = (base / file).parent
    near = did_you_mean(Path(file).name, [p.name for p in folder.iterdir()] if folder.is_dir() else [])
    say(here, f"policies: there is no file {file}", "expected a policy file, from the suite's folder: ./policy.yaml", near)


def _approval(entry: JsonObject, here: Place, say: Say) -> None:
    for place, message in operators.check(entry.get("args") or {}):
        say((*here, "args", *place), message)
    edits = entry.get("decision") == "edit"
    if edits and not entry.get("edit"):
        say(here, "an edit that changes nothing", "", "write the changed arguments: edit: {amount_usd: 20}")
    if not edits and entry.get("edit") is not None:
        say((*here, "edit"), f"`edit` with decision: {entry.get('decision')}", "expected with decision: edit only")
    for key in ("tool", "role", "by"):
        if entry.get(key) is not None and not entry[key].strip():
            say((*here, key), f"{key}: an empty text names nobody", "", "leave the key out")


def _degrade(budget: JsonObject, say: Say) -> None:
    named = [name for name in SHARED if budget.get(name) is not None]
    for index, step in enumerate(budget.get("degrade") or ()):
        here: Place = ("budget", "degrade", index)
        if not any(step.get(act) is not None for act in _ACTS):
            say(here, "a step that does nothing", f"expected {', '.join(_ACTS[:-1])} or {_ACTS[-1]}")
        limit = step.get("of")
        if limit is None and not named:
            say(here, "a share of no limit: the budget names none", f"expected one of {', '.join(SHARED)} beside `degrade`")
        elif limit in ("usd", "tokens") and limit not in named:
            say((*here, "of"), f"of: {limit}, and the budget names no {limit}", "", f"add budget.{limit}")


def suite_budget(budget: JsonObject | None, say: Say) -> None:
    """Note a suite's budget that limits nothing."""
    if budget is not None and all(limit is None for limit in budget.values()):
        say(("budget",), "a budget that limits nothing", f"expected one of {', '.join(LIMITS)}")


def check_expect(expect: JsonObject, here: Place, say: Say, bounds: Callable[..., None], lacks: Say) -> None:
    """Note what is wrong with the keys `policy`, `budget` and `detectors` of one `expect`."""
    policy = expect.get("policy") or {}
    for key in ("blocks", "unexpected_blocks", "approvals"):
        bounds(policy.get(key), (*here, "policy", key), say, lacks)
    for index, entry in enumerate(policy.get("blocked") or ()):
        args = entry.get("args") if isinstance(entry, dict) else None
        for place, message in operators.check(args or {}):
            say((*here, "policy", "blocked", index, "args", *place), message)
    blocks, named = policy.get("blocks"), len(policy.get("blocked") or ())
    if isinstance(blocks, int) and blocks < sum(1 for e in policy.get("blocked") or () if _of_policy(e)):
        say((*here, "policy", "blocks"), f"blocks: {blocks}, and `blocked` lists {named} calls", "", "leave `blocks` out")
    budget = expect.get("budget") or {}
    for key in ("degraded", "share"):
        bounds(budget.get(key), (*here, "budget", key), say, lacks)
    detectors(expect.get("detectors") or {}, (*here, "detectors"), say)


def _of_policy(entry: object) -> bool:
    """Whether an entry of `blocked` can only mean a policy's deny."""
    return isinstance(entry, dict) and entry.get("rule") is not None


def detectors(named: JsonObject, here: Place, say: Say) -> None:
    """Note detectors that there are not."""
    for name in named:
        if name not in DETECTORS:
            allowed = f"expected one of {', '.join(DETECTORS)}"
            say((*here, name), f"there is no detector {name!r}", allowed, did_you_mean(name, DETECTORS))
