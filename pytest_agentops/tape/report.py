"""What a miss says: the call, the nearest recording, what differs, what was played, which pins changed, three ways out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

from ..schema import paths
from ..schema.pins import contract_digest
from ..schema.suggest import did_you_mean
from ..schema.values import Json, JsonObject, dumps
from .cassette import record_command
from .history import Refusal
from .recording import Recording
from .wording import NOTHING, WIDTH, at, cut, folder_of, laid_out, pin_text, plain, side, times, trial_of, value_text

if TYPE_CHECKING:
    from .player import Entry, Player

MissReason: TypeAlias = Literal["no-recording", "unknown-tool", "changed-args", "exhausted", "out-of-order", "state"]

_DIFFERENCES = 5
_STANDING = {"waiting": "not played", "played": "played", "not_made": "not made: the guard stopped it"}


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
    folder = _folder(player)
    rows = [
        ("called", [call_text(tool, args)]),
        ("closest", [_closest_line(player, nearest)] if nearest is not None else []),
        ("differs", _difference_lines(differences)),
        ("why", [_why(player, tool, reason, before, refused, fitting)] if reason != "changed-args" else []),
        ("played", [f"{_counted(played)}   ({len(played)} of {len(player.entries)})"]),
        ("not yet", [_counted(waiting)]),
        ("before", [_stops_line(player)] if player.stops else []),
        ("pins", [_pins_line(player, pins)]),
        ("fix", [f"{when:<22} -> {what}" for when, what in ways]),
    ]
    head = f"CassetteMiss [{reason}] {player.cassette.case or folder}, trial {trial_of(folder)}, call {player.issued}: {tool}"
    data: JsonObject = {
        "reason": reason,
        "tool": tool,
        "args": args,
        "closest": _closest_data(player, nearest) if nearest is not None else None,
        "differences": [
            {"path": path, **({"recorded": old} if old is not NOTHING else {}), **({"now": new} if new is not NOTHING else {})}
            for path, old, new in differences
        ],
        "played": [r.tool for r in played],
        "remaining": [r.tool for r in waiting],
        "pins": pins,
        "fixes": [{"when": when, "do": what} for when, what in ways],
    }
    return laid_out(head, rows), data


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
    return "\n".join(plain(cut(line, WIDTH + 40)) for line in lines)


def call_text(tool: str, args: JsonObject, width: int = WIDTH - 20) -> str:
    """``orders.get(order_id="W-1")``, cut where it is long."""
    parts = [f"{key if key.isidentifier() else dumps(key)}={value_text(value)}" for key, value in args.items()]
    text = f"{tool}({', '.join(parts)})"
    return text if len(text) <= width else f"{text[: width - 2]}…)"


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
            return f"recorded {times(len(fitting))}, and {gone} of these the guard stopped in this run; each plays once"
        return f"recorded {times(len(fitting))} and played {times(len(fitting))}; a recording plays once"
    tools = sorted({entry.recording.tool for entry in player.entries})
    hint = did_you_mean(tool, tools)
    return f"the recorded run never called {tool}; it called {', '.join(tools)}{f'; {hint}' if hint else ''}"


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
    if player.stops:
        blocked, why = player.stops[0]
        ways.insert(0, ("the stop came first", f"see why {blocked} was stopped ({why}); this call may follow from it"))
        if reason in ("unknown-tool", "no-recording", "exhausted"):
            return ways  # to add to the recording what an agent does when it is stopped would cure nothing
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
    return [(paths.text(place), at(old, place), at(new, place)) for place in paths.changes(old, new)]


def _difference_lines(differences: Sequence[tuple[str, Json, Json]]) -> list[str]:
    shown = differences if len(differences) <= _DIFFERENCES else differences[: _DIFFERENCES - 1]
    width = min(max((len(path) for path, _, _ in shown), default=0), 40)
    lines = [f"{path:<{width}}   recorded {side(old)}   now {side(new)}" for path, old, new in shown]
    return lines if len(shown) == len(differences) else [*lines, f"and {len(differences) - len(shown)} more"]


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
    return cut(text, WIDTH - 20) or "nothing"


def _stops_line(player: Player) -> str:
    first = [f"{tool} ({reason})" for tool, reason in player.stops[:3]]
    more = f" and {len(player.stops) - 3} more" if len(player.stops) > 3 else ""
    return f"in this run the guard stopped {', '.join(first)}{more}"


def _pins_line(player: Player, changed: JsonObject) -> str:
    if not player.cassette.pins.tools and not changed:
        return "none recorded"
    parts = [f"{name} CHANGED ({pin_text(then)} -> {pin_text(now)})" for name, (then, now) in changed.items()]
    if not any(name.startswith("tools.") for name in changed):
        parts.insert(0, "tools ok")
    line = " | ".join(parts[:3]) + (f" | and {len(parts) - 3} more" if len(parts) > 3 else "")
    return f"{line}   <- likely cause" if changed else line


def _folder(player: Player) -> str:
    return folder_of(player.cassette.file, player.cassette.case)
