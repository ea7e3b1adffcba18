"""Expectations that check nothing: what can never fail reads like a check that passed, so each of them is a mistake.

`expect: {}` is as good as no `expect`: the case is checked for its outcome alone, and says so. `changed_only: []` and
`calls.include: []` mean something; where other calls are allowed the latter asks for nothing, and the run says that, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..schema.values import Json, JsonObject
from .shape import words

Say = Callable[..., None]
Place = tuple[str | int, ...]

_TEXT = "write the words that must be there: {contains: refunded}"
_CURES = {
    "output": _TEXT,
    "said": _TEXT,
    "state": "write what must be there: {\"$.orders['W-1'].status\": refunded}",
    "cost": "write a bound: {usd: {max: 0.01}}",
    "policy": "write what must have been decided: {blocks: 0}",
    "budget": "write what must have become of it: {exceeded: none}",
    "detectors": "write what a detector means: {loop: fail}",
    "python": "name a function: ./checks.py:name",
    "any": "write the alternatives: [{steps: {max: 3}}, {outcome: blocked}]",
}
_CALLS_CURES = {
    "never": "name a call that may not reach its tool: [email.send]",
    "never_tried": "name a call that may not even be tried: [email.send]",
    "count": 'write how often: {"*": {max: 6}}',
}
_TEXT_CURES = {
    **dict.fromkeys(("contains", "icontains", "not_contains", "matches"), "write what to look for"),
    "json_schema": "write a schema: {type: object}",
    "any": "write the alternatives: [{contains: refunded}, {contains: cancelled}]",
}
_ALWAYS = "every run would pass by it"


def check(expect: JsonObject, here: Place, say: Say) -> None:
    """Note the keys of one `expect` that check nothing; `calls` and texts have functions of their own."""
    _empty(expect, _CURES, here, say)
    for index, alternative in enumerate(expect.get("any") or ()):
        given = {key: value for key, value in alternative.items() if value is not None}
        if not given or (given.keys() == {"calls"} and _asks_nothing(given["calls"])):
            place = (*here, "any", index)
            cure = "write {outcome: completed}, or what must hold"
            say(place, f"{words(place)}: this alternative checks nothing", _ALWAYS, cure)


def check_calls(calls: JsonObject, here: Place, say: Say) -> None:
    """Note what checks nothing in `calls`; that it has a key to check at all is another rule."""
    _empty(calls, _CALLS_CURES, here, say)
    if calls.get("missing") == "allow" and not _closed(calls) and not any(calls.get(key) for key in _CALLS_CURES):
        found = f"{words(here)}: wanted calls may be missing and others may come, so this checks nothing"
        say((*here, "missing"), found, "", "write extra: forbid (no calls but these), or leave `missing` out")


def _closed(calls: JsonObject) -> bool:
    """Whether calls that nobody listed are forbidden."""
    return (calls.get("extra") or "allow") != "allow" or calls.get("order") == "exact" or calls.get("like") is not None


def _asks_nothing(calls: JsonObject) -> bool:
    return calls.get("include") == [] and not _closed(calls) and not any(calls.get(key) for key in _CALLS_CURES)


def check_text(text: JsonObject, here: Place, say: Say) -> None:
    """Note what checks nothing in one level of `output` or `said`."""
    _empty(text, _TEXT_CURES, here, say)
    for key in ("contains", "icontains", "not_contains", "matches"):
        value = text.get(key)
        for index, word in enumerate([value] if isinstance(value, str) else value or ()):
            if word == "":
                place = (*here, key) if isinstance(value, str) else (*here, key, index)
                why = "so this can never hold" if key == "not_contains" else "so this checks nothing"
                say(place, f"{words(place)}: an empty text is in every text, {why}", "", _TEXT_CURES[key])
    for index, alternative in enumerate(text.get("any") or ()):
        if _hollow(alternative):
            place = (*here, "any", index)
            say(place, f"{words(place)}: this alternative checks nothing", _ALWAYS, _TEXT)


def _empty(wanted: JsonObject, cures: Mapping[str, str], here: Place, say: Say) -> None:
    for key, cure in cures.items():
        value = wanted.get(key)
        if value == [] or value == {} or (key not in ("state", "json_schema") and _hollow(value)):
            found = f"{words((*here, key))}: {'[]' if value == [] else 'an empty mapping'} checks nothing"
            say((*here, key), found, "", f"{cure}, or leave the key out")


def _hollow(value: Json) -> bool:
    """Whether a mapping of settings has nulls at most, which set nothing (under `equals` null is a value)."""
    return isinstance(value, dict) and all(inner is None and key != "equals" for key, inner in value.items())
