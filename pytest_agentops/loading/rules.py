"""What a schema cannot say of a case: rules between its keys, and texts that must parse."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from ..schema import operators, paths
from ..schema.validate import check_schema
from ..schema.values import Json, JsonObject

Say = Callable[..., None]
"""``say(path within the case, found, allowed="", hint="")`` notes a mistake."""

PYTEST_MARKS = frozenset(
    {"parametrize", "skip", "skipif", "xfail", "usefixtures", "filterwarnings", "tryfirst", "trylast", "agent_eval"}
)
LIKES = ("strict", "unordered", "subset", "superset", "exact", "in_order", "any_order")
_HOST_PORT = re.compile(r"[^\s:]+:\d{1,5}|\[[0-9a-fA-F:]+\]:\d{1,5}")


def check(case: JsonObject, base: Path, say: Say, *, needs_task: bool = True) -> None:
    """Note what is wrong with one merged case."""
    if needs_task and "task" not in case and "turns" not in case:
        say((), "a case needs `task` or `turns`")
    if "task" in case and "turns" in case:
        say(("turns",), "`task` and `turns` together", "one of them", "write the task as the first turn")
    for tag in case.get("tags", ()):
        if tag in PYTEST_MARKS:
            say(("tags",), f"the tag {tag!r} is one of pytest's own marks", "", "use the key `skip` or `xfail`, or another word")
    _trials(case, say)
    _prompt(case, base, say)
    _clock(case, say)
    for entry in (case.get("network") or {}).get("allow", ()):
        if not _HOST_PORT.fullmatch(entry):
            say(("network", "allow"), f"{entry!r} is no host:port", "such as 127.0.0.1:5432")
    for index, turn in enumerate(case.get("turns", ())):
        if isinstance(turn, dict) and turn.get("expect"):
            _expect(turn["expect"], ("turns", index, "expect"), say)
    if case.get("expect"):
        _expect(case["expect"], ("expect",), say)


def _trials(case: JsonObject, say: Say) -> None:
    at_least, trials = (case.get("pass_if") or {}).get("at_least"), case.get("trials", 1)
    if at_least is not None and at_least > trials:
        say(
            ("pass_if", "at_least"),
            f"at_least: {at_least} of {trials} trial(s) can never pass",
            f"at most {trials}, or trials: {at_least}",
        )


def _prompt(case: JsonObject, base: Path, say: Say) -> None:
    prompt = case.get("prompt")
    if prompt and prompt.startswith("./") and "\n" not in prompt and not (base / prompt).is_file():
        say(("prompt",), f"there is no file {prompt}", "a file beside the suite, or the text itself")


def _clock(case: JsonObject, say: Say) -> None:
    clock = case.get("clock")
    if clock is None:
        return
    try:
        when = dt.datetime.fromisoformat(clock)
    except ValueError:
        when = None
    if when is None or when.tzinfo is None:
        say(("clock",), f"clock: {clock!r} is no time with a zone", "such as 2026-11-22T09:00:00Z")


def _expect(expect: JsonObject, here: tuple[str | int, ...], say: Say) -> None:
    if expect.get("calls"):
        _calls(expect["calls"], (*here, "calls"), say)
    for key in ("output", "said"):
        if expect.get(key):
            _text(expect[key], (*here, key), say)
    for place, message in operators.check_state(expect.get("state") or {}):
        say((*here, "state", *place), message)
    for path in expect.get("changed_only") or ():
        _path(path, (*here, "changed_only"), say)
    _python(expect.get("python"), (*here, "python"), say)
    for key in ("steps", "interventions"):
        _bounds(expect.get(key), (*here, key), say)
    for key, value in (expect.get("cost") or {}).items():
        _bounds(value, (*here, "cost", key), say)
    for index, alternative in enumerate(expect.get("any") or ()):
        _expect(alternative, (*here, "any", index), say)


def _path(path: str, here: tuple[str | int, ...], say: Say) -> None:
    try:
        paths.parse(path)
    except ValueError as error:
        say(here, str(error))


def _python(refs: Json, here: tuple[str | int, ...], say: Say) -> None:
    for ref in [refs] if isinstance(refs, str) else refs or ():
        if ":" not in ref:
            say(here, f"{ref!r} names no function", "./checks.py:name or module:name")


def _bounds(value: Json, here: tuple[str | int, ...], say: Say) -> None:
    if not isinstance(value, Mapping):
        return
    low, high = value.get("min"), value.get("max")
    if low is None and high is None:
        say(here, "an empty range says nothing", "min, max or both")
    elif low is not None and high is not None and low > high:
        say(here, f"min {low} is above max {high}")


def _calls(calls: JsonObject, here: tuple[str | int, ...], say: Say) -> None:
    like = calls.get("like")
    if like is not None:
        for key in ("order", "extra", "missing"):
            if key in calls:
                say((*here, key), f"`like` and `{key}` together", "like stands in place of order, extra and missing")
        if like.lower() not in LIKES:
            say((*here, "like"), f"like: {like!r}", f"expected one of {', '.join(LIKES)}")
    for key in ("include", "never", "never_tried"):
        for index, ref in enumerate(calls.get(key) or ()):
            _call_ref(ref, (*here, key, index), say)
    for name, value in (calls.get("count") or {}).items():
        _bounds(value, (*here, "count", name), say)
    if not any(calls.get(key) is not None for key in ("include", "never", "never_tried", "count")):
        say(here, "calls says nothing to check", "include, never, never_tried or count")


def _call_ref(ref: Json, here: tuple[str | int, ...], say: Say) -> None:
    if isinstance(ref, str):
        return
    if len(ref) != 1:
        say(
            here,
            f"a call is one tool with its arguments, found {len(ref)} keys: {', '.join(ref) or 'none'}",
            "tool or {tool: {argument: value}}",
        )
        return
    ((name, args),) = ref.items()
    for place, message in operators.check(args or {}):
        say((*here, name, *place), message)


def _text(text: JsonObject, here: tuple[str | int, ...], say: Say) -> None:
    for pattern in _list(text.get("matches")):
        try:
            re.compile(pattern)
        except re.error as error:
            say((*here, "matches"), f"{pattern!r} is no regular expression: {error}")
    if text.get("json_schema") is not None:
        why = check_schema(text["json_schema"])
        if why:
            say((*here, "json_schema"), f"no JSON Schema: {why}")
    for index, alternative in enumerate(text.get("any") or ()):
        _text(alternative, (*here, "any", index), say)


def _list(value: Json) -> Iterator[str]:
    return iter([value] if isinstance(value, str) else value or ())
