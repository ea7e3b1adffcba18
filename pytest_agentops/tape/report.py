"""What a miss says: the call, the nearest recording, what differs, what was played, which pins changed, three ways out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal, TypeAlias

from ..schema import paths
from ..schema.pins import contract_digest
from ..schema.suggest import did_you_mean
from ..schema.values import Json, JsonObject, dumps
from .cassette import record_command
from .history import Refusal
from .recording import Recording
from .stale import short

if TYPE_CHECKING:
    from .player import Entry, Player

MissReason: TypeAlias = Literal["no-recording", "unknown-tool", "changed-args", "exhausted", "out-of-order", "state"]

_WIDTH = 130
_VALUE = 40
_DIFFERENCES = 5
_STANDING = {"waiting": "not played", "played": "played", "not_made": "not made: the guard stopped it"}
_NOTHING = object()


def explain(
    player: Player,
    tool: str,
    args: JsonObject,
    *,
    before: tuple[Entry, Entry] | None = None,
    refused: tuple[Entry, Refusal] | None = None,
    fitting: Sequence[Entry] = (),
) -> tuple[str, JsonObject]:
    """The report of a miss, at most 25 lines, and the same as data."""
    reason = _reason(player, tool, before, refused, fitting)
    nearest = before[0] if before else refused[0] if refused else fitting[0] if fitting else _closest(player, tool, args)
    differences = _differences(player, nearest, args) if nearest is not None and reason == "changed-args" else []
    pins = changed_pins(player, tool)
    ways = _fixes(player, tool, reason, differences, refused)
    played, waiting = _standing(player, "played"), _standing(player, "waiting")
    case, trial = _trial(player)
    rows = [
        ("called", [call_text(tool, args)]),
        ("closest", [_closest_line(player, nearest)] if nearest is not None else []),
        ("differs", _difference_lines(differences)),
        ("why", [_why(player, tool, reason, before, refused, fitting)] if reason != "changed-args" else []),
        ("played", [f"{_counted(played)}   ({len(played)} of {len(player.entries)})"]),
        ("not yet", [_counted(waiting)]),
        ("pins", [_pins_line(player, pins)]),
        ("fix", [f"{when:<22} -> {what}" for when, what in ways]),
    ]
    head = f"CassetteMiss [{reason}] {case}, trial {trial}, call {player.issued}: {tool}"
    data: JsonObject = {
        "reason": reason,
        "tool": tool,
        "args": args,
        "closest": _closest_data(player, nearest) if nearest is not None else None,
        "differences": [
            {"path": path, **({"recorded": old} if old is not _NOTHING else {}), **({"now": new} if new is not _NOTHING else {})}
            for path, old, new in differences
        ],
        "played": [r.tool for r in played],
        "remaining": [r.tool for r in waiting],
        "pins": pins,
        "fixes": [{"when": when, "do": what} for when, what in ways],
    }
    return _laid_out(head, rows), data


def unused_text(player: Player, recordings: Sequence[Recording]) -> str:
    """The text for recordings that were not played, at most 25 lines."""
    count = len(recordings)
    lines = [f"{count} recorded call{'s' if count != 1 else ''} not played ({len(player.played)} of {len(player.entries)} were)"]
    for recording in recordings[:12]:
        note = " (not a read: always an error)" if player.writes(recording) and player.policy != "error" else ""
        lines.append(f"  unused    {call_text(recording.tool, recording.args)}   {player.cassette.place(recording)}{note}")
    if count > 12:
        lines.append(f"            and {count - 12} more")
    fixes = [
        "the agent is wrong     -> it no longer does what the recorded run did: fix the agent or its prompt",
        f"the change is intended -> {record_command(_folder(player))}",
    ]
    if not all(player.writes(r) for r in recordings):
        fixes.append("unused reads are fine  -> replay: {unused: warn} in the case (an unused write stays an error)")
    lines += [f"  {'fix' if i == 0 else '':<9} {fix}" for i, fix in enumerate(fixes)]
    return "\n".join(plain(_cut(line, _WIDTH + 40)) for line in lines)


def call_text(tool: str, args: JsonObject, width: int = _WIDTH - 20) -> str:
    """``orders.get(order_id="W-1")``, cut where it is long."""
    parts = [f"{key if key.isidentifier() else dumps(key)}={_value(value)}" for key, value in args.items()]
    text = f"{tool}({', '.join(parts)})"
    return text if len(text) <= width else f"{text[: width - 2]}…)"


def plain(text: str) -> str:
    """`text` without what a terminal would act on."""
    return text if text.isprintable() else "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def changed_pins(player: Player, tool: str) -> JsonObject:
    """The pins that changed since the recording: name -> [then, now]; tools as ``tools.<name>``, the called one first."""
    then, now = player.cassette.pins, player.pins
    out: JsonObject = {}
    names = sorted(then.tools, key=lambda name: (name != tool, name))
    for name in names:
        contract = player.contracts.get(name)
        digest = contract_digest(contract) if contract is not None else None
        if digest != then.tools[name]:
            out[f"tools.{name}"] = [then.tools[name], digest]
    if now is not None:
        for part in ("prompt", "model", "policy"):
            old, new = getattr(then, part), getattr(now, part)
            if old is not None and new is not None and old != new:
                out[part] = [old, new]
    return out


def _reason(
    player: Player,
    tool: str,
    before: tuple[Entry, Entry] | None,
    refused: tuple[Entry, Refusal] | None,
    fitting: Sequence[Entry],
) -> MissReason:
    if not player.entries:
        return "no-recording"
    if before is not None:
        return "out-of-order"
    if refused is not None:
        return "state"
    if fitting:
        return "exhausted"
    return "changed-args" if any(entry.recording.tool == tool for entry in player.entries) else "unknown-tool"


def _why(
    player: Player,
    tool: str,
    reason: MissReason,
    before: tuple[Entry, Entry] | None,
    refused: tuple[Entry, Refusal] | None,
    fitting: Sequence[Entry],
) -> str:
    if reason == "no-recording":
        return "the recorded run made no tool call at all"
    if before is not None:
        first = before[1].recording
        return f"replay.order is {player.order}: {first.tool} ({player.cassette.place(first)}) comes before it"
    if refused is not None:
        return str(refused[1])
    if reason == "exhausted":
        gone = sum(entry.standing == "not_made" for entry in fitting)
        if gone:
            return f"recorded {_times(len(fitting))}, and {gone} of these the guard stopped in this run; each plays once"
        return f"recorded {_times(len(fitting))} and played {_times(len(fitting))}; a recording plays once"
    tools = sorted({entry.recording.tool for entry in player.entries})
    hint = did_you_mean(tool, tools)
    return f"the recorded run never called {tool}; it called {', '.join(tools)}{f'; {hint}' if hint else ''}"


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _fixes(
    player: Player,
    tool: str,
    reason: MissReason,
    differences: Sequence[tuple[str, Json, Json]],
    refused: tuple[Entry, Refusal] | None,
) -> list[tuple[str, str]]:
    again = record_command(_folder(player))
    ways = [
        ("the agent is wrong", "fix the agent or its prompt; the recording is right"),
        ("the change is intended", again),
    ]
    if reason == "changed-args":
        names = list(dict.fromkeys(_ignorable(path) for path, _, _ in differences))
        rule = f"contracts: {{{tool}: {{match: {{ignore: [{', '.join(names)}]}}}}}} in the suite file"
        ways.append(("the field is noise" if len(names) == 1 else "the fields are noise", f"{rule}"))
    elif reason == "state":
        other = refused[1].tools[0] if refused is not None else "the write"
        rule = f"contracts: {{{tool}: {{resource: A}}, {other}: {{resource: B}}}} in the suite file"
        ways.append(("the write is unrelated", rule))
    elif reason == "out-of-order":
        ways.append(("the order is free", "replay: {order: any} in the case"))
    elif reason == "exhausted":
        ways.append(("the extra call is fine", f"keep what is recorded and add to it: {again.replace('=all', '=new_episodes')}"))
    else:
        ways.append(("the tool is new", f"keep what is recorded and add to it: {again.replace('=all', '=new_episodes')}"))
    return ways


def _ignorable(path: str) -> str:
    """An argument by its name, a place inside of one by its path (quoted for a flow list where it needs to be)."""
    steps = paths.parse(path).steps
    if len(steps) == 1 and isinstance(steps[0], str) and path == f"$.{steps[0]}":
        return steps[0]
    return dumps(path)


def _closest(player: Player, tool: str, args: JsonObject) -> Entry | None:
    """The recording of the same tool with the fewest differing fields; one that was not played wins a tie."""
    same_tool = [entry for entry in player.entries if entry.recording.tool == tool]
    return min(
        same_tool,
        key=lambda entry: (len(_differences(player, entry, args)), entry.standing != "waiting", entry.index),
        default=None,
    )


def _differences(player: Player, entry: Entry, args: JsonObject) -> list[tuple[str, Json, Json]]:
    keys = player.keys(entry.recording.tool)
    old, new = keys.counted(entry.recording.args), keys.counted(args)
    return [(paths.text(place), _at(old, place), _at(new, place)) for place in paths.changes(old, new)]


def _at(value: Json, place: paths.Concrete) -> Json:
    for step in place:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return _NOTHING
    return value


def _difference_lines(differences: Sequence[tuple[str, Json, Json]]) -> list[str]:
    shown = differences if len(differences) <= _DIFFERENCES else differences[: _DIFFERENCES - 1]
    width = min(max((len(path) for path, _, _ in shown), default=0), 40)
    lines = [f"{path:<{width}}   recorded {_side(old)}   now {_side(new)}" for path, old, new in shown]
    return lines if len(shown) == len(differences) else [*lines, f"and {len(differences) - len(shown)} more"]


def _side(value: Json) -> str:
    return "nothing" if value is _NOTHING else _value(value)


def _value(value: Json) -> str:
    return _cut(dumps(value), _VALUE)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _closest_line(player: Player, entry: Entry) -> str:
    recording = entry.recording
    place = player.cassette.place(recording)
    return f"{call_text(recording.tool, recording.args)}   {place} ({_STANDING[entry.standing]})"


def _closest_data(player: Player, entry: Entry) -> JsonObject:
    recording = entry.recording
    return {
        "tool": recording.tool,
        "args": recording.args,
        "file": player.cassette.file,
        "line": recording.line,
        "standing": entry.standing,
    }


def _standing(player: Player, standing: str) -> list[Recording]:
    return [entry.recording for entry in player.entries if entry.standing == standing]


def _counted(recordings: Iterable[Recording]) -> str:
    """``orders.get x2, payments.refund``."""
    counts = Counter(recording.tool for recording in recordings)
    text = ", ".join(tool if count == 1 else f"{tool} x{count}" for tool, count in counts.items())
    return _cut(text, _WIDTH - 20) or "nothing"


def _pins_line(player: Player, changed: JsonObject) -> str:
    if not player.cassette.pins.tools and not changed:
        return "none recorded"
    parts = [f"{name} CHANGED ({_pin(then)} -> {_pin(now)})" for name, (then, now) in changed.items()]
    if not any(name.startswith("tools.") for name in changed):
        parts.insert(0, "tools ok")
    line = " | ".join(parts[:3]) + (f" | and {len(parts) - 3} more" if len(parts) > 3 else "")
    return f"{line}   <- likely cause" if changed else line


def _pin(value: Json) -> str:
    if value is None:
        return "gone"
    text = value if isinstance(value, str) else ", ".join(value)
    return short(text) if text.startswith("sha256:") else _cut(text, 30)


def _trial(player: Player) -> tuple[str, str]:
    name, _, number = _folder(player).rpartition(".t")
    trial = number if name and number.isdigit() else "1"
    return player.cassette.case or _folder(player), trial


def _folder(player: Player) -> str:
    """The trial's folder; a cassette that comes from no file is named by its case."""
    parent = PurePosixPath(player.cassette.file).parent.name if player.cassette.file else ""
    return parent or player.cassette.case.rpartition("/")[2] or "CASE"


def _laid_out(head: str, rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    out = [head]
    for label, lines in rows:
        out += [f"  {label if i == 0 else '':<9} {line}" for i, line in enumerate(lines)]
    return "\n".join(plain(line) for line in out)
