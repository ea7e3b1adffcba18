"""What a schema cannot say of a case: rules between its keys, and texts that must parse."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from ..schema import operators, paths
from ..schema.suggest import did_you_mean
from ..schema.validate import check_schema
from ..schema.values import Json, JsonObject
from . import governed, nothing

Say = Callable[..., None]
"""``say(path within the case, found, allowed="", hint="")`` notes a mistake."""

PYTEST_MARKS = frozenset(
    {"parametrize", "skip", "skipif", "xfail", "usefixtures", "filterwarnings", "tryfirst", "trylast", "agent_eval"}
)
LIKES = ("strict", "unordered", "subset", "superset", "exact", "in_order", "any_order")
_TAG_CURES = {
    "skip": "use the key `skip: reason`",
    "skipif": "use the key `skip: reason`",
    "xfail": "use the key `xfail: reason`",
    "usefixtures": "use the key `fixtures`",
    "parametrize": "use the key `matrix`",
}
_MONEY = re.compile(r"\d+(\.\d+)?")
_KNOWN = (("cost", "usd"), ("cost", "tokens"), ("budget", "share"))
_HOST_PORT = re.compile(r"[^\s:]+:\d{1,5}|\[[0-9a-fA-F:]+\]:\d{1,5}")


def check(case: JsonObject, base: Path, say: Say, *, whole: bool = True) -> None:
    """Note what is wrong with one merged case; `whole` says that nothing was taken out of it: what is missing was forgotten."""
    lacks = say if whole else _silent
    if whole and case.get("task") is None and case.get("turns") is None and case.get("agent") != "transcript":
        say((), "a case needs `task` or `turns`")
    if case.get("task") is not None and case.get("turns") is not None:
        say(("turns",), "`task` and `turns` together", "a case has one of them", "write the task as the first turn")
    for tag in case.get("tags") or ():
        if tag in PYTEST_MARKS:
            say(("tags", tag), f"the tag {tag!r} is one of pytest's own marks", "", _TAG_CURES.get(tag, "use another word"))
    _code(case, say)
    if whole:
        _trials(case, say)
    _prompt(case, base, say)
    governed.check(case, base, say)
    _clock(case, say)
    for index, entry in enumerate((case.get("network") or {}).get("allow") or ()):
        if not _HOST_PORT.fullmatch(entry):
            say(("network", "allow", index), f"{entry!r} is no host:port", "expected an address such as 127.0.0.1:5432")
    for index, turn in enumerate(case.get("turns") or ()):
        if isinstance(turn, dict) and turn.get("expect"):
            _expect(turn["expect"], ("turns", index, "expect"), say, lacks)
    if case.get("expect"):
        _expect(case["expect"], ("expect",), say, lacks)


def _silent(*words: object) -> None:
    """What is missing may have been taken out because it is wrong: that was said already."""


def check_contract(spec: JsonObject, say: Say) -> None:
    """Note what is wrong with one tool that is declared in YAML."""
    for key in ("parameters", "returns"):
        schema = spec.get(key)
        why = check_schema(schema) if schema is not None else None
        if why:
            say((key,), f"{key}: no JSON Schema: {why}")
        elif key == "parameters" and schema is not None and schema.get("type", "object") != "object":
            say((key,), "parameters: the arguments of a call are a mapping", "expected type: object")
    if isinstance(spec.get("cost_usd"), str) and not _MONEY.fullmatch(spec["cost_usd"]):
        say(("cost_usd",), f"cost_usd: {spec['cost_usd']!r} is no amount", 'expected a decimal such as "0.02"')
    for place in (("sensitive",), ("passthrough",), ("match", "ignore")):
        names = spec
        for step in place:
            names = names.get(step) or {}
        for index, name in enumerate(names):
            if name.startswith("$"):
                _path(name, (*place, index), say)
    for index, answer in enumerate(spec.get("answers") or ()):
        _answer(answer, ("answers", index), say)


def _answer(answer: JsonObject, here: tuple[str | int, ...], say: Say) -> None:
    given = [key for key in ("result", "error") if (key == "result" and key in answer) or answer.get(key) is not None]
    if len(given) != 1:
        found = "both `result` and `error`" if given else "neither `result` nor `error`"
        say(here, found, "an answer has one of them")
    for place, message in operators.check(answer.get("args") or {}):
        say((*here, "args", *place), message)


def _code(case: JsonObject, say: Say) -> None:
    tools = case.get("tools")
    refs: list[tuple[tuple[str | int, ...], Json]] = [(("agent",), case.get("agent"))]
    refs += [(("tools", i), ref) for i, ref in enumerate(tools)] if isinstance(tools, list) else [(("tools",), tools)]
    for place, ref in refs:
        if isinstance(ref, dict) and len(ref) != 1:
            say(
                place,
                f"{place[0]}: {len(ref)} names: {', '.join(ref) or 'none'}",
                "expected one registered name with its options",
            )
        elif isinstance(ref, str) and (not ref or ref.endswith(":") or (ref.startswith(("./", "../", "/")) and ":" not in ref)):
            say(place, f"{place[0]}: {ref!r} names no code", "expected ./file.py:attribute")
    for index, name in enumerate(case.get("fixtures") or ()):
        if not name.isidentifier():
            say(("fixtures", index), f"{name!r} is no name of a fixture")


def _trials(case: JsonObject, say: Say) -> None:
    at_least, trials = (case.get("pass_if") or {}).get("at_least"), case.get("trials") or 1
    if at_least is not None and at_least > trials:
        words = "1 trial" if trials == 1 else f"{trials} trials"
        say(
            ("pass_if", "at_least"),
            f"at_least: {at_least} of {words} can never pass",
            "",
            f"write at_least: {trials}, or trials: {at_least}",
        )


def is_prompt_file(prompt: str) -> bool:
    """Whether a prompt is the name of a file beside the suite, and not the text itself."""
    return prompt.startswith(("./", "../")) and "\n" not in prompt


def _prompt(case: JsonObject, base: Path, say: Say) -> None:
    prompt = case.get("prompt")
    if not prompt or not is_prompt_file(prompt):
        return
    try:
        (base / prompt).read_text(encoding="utf-8")
    except FileNotFoundError:
        folder = (base / prompt).parent
        near = did_you_mean(Path(prompt).name, [p.name for p in folder.iterdir()] if folder.is_dir() else [])
        say(("prompt",), f"prompt: there is no file {prompt}", "expected a file beside the suite, or the text itself", near)
    except (OSError, ValueError) as error:
        say(("prompt",), f"prompt: {prompt} cannot be read: {error}")


def _clock(case: JsonObject, say: Say) -> None:
    clock = case.get("clock")
    if clock is None:
        return
    try:
        when = dt.datetime.fromisoformat(clock)
    except ValueError:
        when = None
    if when is None or when.tzinfo is None:
        say(("clock",), f"clock: {clock!r} is no time with a zone", "expected one such as 2026-11-22T09:00:00Z")


def _expect(expect: JsonObject, here: tuple[str | int, ...], say: Say, lacks: Say) -> None:
    nothing.check(expect, here, lacks)
    if expect.get("calls") is not None:
        _calls(expect["calls"], (*here, "calls"), say, lacks)
    for key in ("output", "said"):
        if expect.get(key):
            _text(expect[key], (*here, key), say, lacks)
    for place, message in operators.check_state(expect.get("state") or {}):
        say((*here, "state", *place), message)
    for index, path in enumerate(expect.get("changed_only") or ()):
        _path(path, (*here, "changed_only", index), say)
    _python(expect.get("python"), (*here, "python"), say)
    for key in ("steps", "interventions"):
        _bounds(expect.get(key), (*here, key), say, lacks)
    for key, value in (expect.get("cost") or {}).items():
        _bounds(value, (*here, "cost", key), say, lacks)
    governed.check_expect(expect, here, say, _bounds, lacks)
    for index, alternative in enumerate(expect.get("any") or ()):
        _expect(alternative, (*here, "any", index), say, lacks)


def _path(path: str, here: tuple[str | int, ...], say: Say) -> None:
    try:
        paths.parse(path)
    except ValueError as error:
        say(here, str(error))


def _python(refs: Json, here: tuple[str | int, ...], say: Say) -> None:
    for index, ref in enumerate([refs] if isinstance(refs, str) else refs or ()):
        if ":" not in ref.strip(":"):
            place = here if isinstance(refs, str) else (*here, index)
            say(place, f"python: {ref!r} names no function", "expected ./checks.py:name or module:name")


def _bounds(value: Json, here: tuple[str | int, ...], say: Say, lacks: Say) -> None:
    if not isinstance(value, Mapping):
        return
    low, high = value.get("min"), value.get("max")
    if low is None and high is None:
        lacks(here, "an empty range says nothing", "expected min, max or both")
    elif low is not None and high is not None and low > high:
        say(here, f"min {low} is above max {high}")
    elif low == 0 and high is None and here[-2:] not in _KNOWN:  # of these it says that they are known
        lacks(here, "min: 0 checks nothing: no count is below it", "", "write a max, or a greater min")


def _calls(calls: JsonObject, here: tuple[str | int, ...], say: Say, lacks: Say) -> None:
    like = calls.get("like")
    if like is not None:
        for key in ("order", "extra", "missing"):
            if calls.get(key) is not None:
                say((*here, key), f"`like` and `{key}` together", "like stands in place of order, extra and missing")
        if like.lower() not in LIKES:
            say((*here, "like"), f"like: unknown word {like!r}", f"expected one of {', '.join(LIKES)}", did_you_mean(like, LIKES))
    for key in ("include", "never", "never_tried"):
        for index, ref in enumerate(calls.get(key) or ()):
            _call_ref(ref, (*here, key, index), say)
    for name, value in (calls.get("count") or {}).items():
        _bounds(value, (*here, "count", name), say, lacks)
    if not any(calls.get(key) is not None for key in ("include", "never", "never_tried", "count")):
        lacks(here, "calls says nothing to check", "expected include, never, never_tried or count")
    else:
        nothing.check_calls(calls, here, lacks)


def _call_ref(ref: Json, here: tuple[str | int, ...], say: Say) -> None:
    if isinstance(ref, str):
        return
    if len(ref) != 1:
        say(
            here,
            f"a call is one tool with its arguments, found {len(ref)} keys: {', '.join(ref) or 'none'}",
            "expected tool or {tool: {argument: value}}",
        )
        return
    ((name, args),) = ref.items()
    for place, message in operators.check(args or {}):
        say((*here, name, *place), message)


def _text(text: JsonObject, here: tuple[str | int, ...], say: Say, lacks: Say) -> None:
    nothing.check_text(text, here, lacks)
    patterns = text.get("matches")
    for index, pattern in enumerate([patterns] if isinstance(patterns, str) else patterns or ()):
        try:
            re.compile(pattern)
        except re.error as error:
            place = (*here, "matches") if isinstance(patterns, str) else (*here, "matches", index)
            say(place, f"matches: {pattern!r} is no regular expression: {error}")
    if text.get("json_schema") is not None:
        why = check_schema(text["json_schema"])
        if why:
            say((*here, "json_schema"), f"no JSON Schema: {why}")
    for place, message in operators.check(text.get("equals")):
        say((*here, "equals", *place), message)
    if "equals" in text and text["equals"] is None and "said" in here:
        say((*here, "equals"), "equals: no message to the user is null, so this can never hold", "expected a text")
    for index, alternative in enumerate(text.get("any") or ()):
        _text(alternative, (*here, "any", index), say, lacks)
