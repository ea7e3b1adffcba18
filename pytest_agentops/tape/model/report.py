"""What a miss of the model layer says: the nearest recorded request, which message differs, what was played, the cures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

from ...schema.pins import Pins
from ...schema.values import JsonObject
from ..cassette import hybrid_command, model_command, record_command
from ..wording import WIDTH, cut, folder_of, laid_out, pin_text, plain, times, trial_of
from .conversation import Conversation, read
from .difference import Difference, differences, distance, shared
from .exchange import Exchange, Request
from .pins import first_of, models_of, prompt_digest

if TYPE_CHECKING:
    from .player import Entry, ModelPlayer

MissReason: TypeAlias = Literal["no-model-layer", "changed-request", "exhausted"]

_SHOWN = 5
"""Differences that are no message."""
_WHY = {
    "tool": "a tool gave the agent another answer than in the recorded run, or was called another way",
    "assistant": "what the model had said went back to it in another form, or the agent took another way",
    "user": "the agent or the case says something else than in the recorded run",
}
_TO_A_TOOL = ("it belongs to a tool", "send it inside a tool: what tools do is answered from tools.yaml")


def explain(player: ModelPlayer, request: Request, fitting: Sequence[Entry] = ()) -> tuple[str, JsonObject]:
    """The report of a miss, at most 25 lines, and the same as data. `fitting` are equal recordings, all played."""
    folder, case = folder_of(player.cassette.file, player.cassette.case), player.cassette.case
    number = len(player.asked)
    if not player.entries:
        return no_layer_report(request, case or folder, folder=folder, number=number)
    reason: MissReason = "exhausted" if fitting else "changed-request"
    asked = read(request)
    nearest = fitting[0] if fitting else _nearest(player, request, asked)
    found = differences(nearest.exchange.request, request) if nearest is not None and not fitting else []
    pins = changed_pins(player.pins, player.asked)
    ways = _fixes(folder, reason, found, talks=asked is not None and bool(asked.messages))
    waiting = [entry for entry in player.entries if not entry.played]
    rows = [
        ("sent", [_sent(request, asked)]),
        ("closest", [_closest(player, nearest)] if nearest is not None else []),
        ("differs", _difference_lines(found)),
        ("why", _why(player, request, fitting, nearest, found, pins)),
        ("played", [f"{_numbers([e for e in player.entries if e.played])}   ({len(player.played)} of {len(player.entries)})"]),
        ("not yet", [_waiting_line(player, waiting)]),
        ("pins", [_pins_line(player.pins, pins)]),
        ("fix", [f"{when:<22} -> {what}" for when, what in ways]),
    ]
    data = _data(request, reason, [difference.where for difference in found], ways)
    if nearest is not None:
        data |= {"file": player.cassette.file, "line": nearest.exchange.line, "closest": nearest.index + 1}
    data |= {"played": len(player.played), "remaining": len(waiting), "pins": pins}
    return laid_out(_head(reason, case or folder, folder, number, request), rows), data


def no_layer_report(request: Request, case: str, *, folder: str = "", number: int = 1) -> tuple[str, JsonObject]:
    """The report for a request where the recorded run made none: there is no model layer to answer from.

    `folder` is the trial's (``case[~variant][.tN]``), `number` says which request of this run it is.
    """
    folder = folder or folder_of("", case)
    ways = [
        ("the agent is wrong", "it did without a model when it was recorded: fix the agent"),
        ("the change is intended", record_command(folder)),
        _TO_A_TOOL,
    ]
    rows = [
        ("sent", [_sent(request, read(request))]),
        ("why", ["the recording has no model layer: the recorded run sent no request outside of its tools"]),
        ("fix", [f"{when:<22} -> {what}" for when, what in ways]),
    ]
    return laid_out(_head("no-model-layer", case, folder, number, request), rows), _data(request, "no-model-layer", [], ways)


def unused_text(player: ModelPlayer, exchanges: Sequence[Exchange]) -> str:
    """The text for recorded requests that were not made, at most 25 lines."""
    count = len(exchanges)
    lines = [f"{count} recorded request{'s' if count != 1 else ''} not made ({len(player.played)} of {len(player.entries)} were)"]
    for exchange in exchanges[:12]:
        sent = _sent(exchange.request, read(exchange.request))
        place = player.cassette.place(exchange)
        lines.append(f"  unused    {exchange.request.method} {exchange.request.path}   {cut(sent, WIDTH - 60)}   {place}")
    if count > 12:
        lines.append(f"            and {count - 12} more")
    fixes = [
        "the agent is wrong     -> it asks the model less than the recorded run did: fix the agent or its prompt",
        f"the change is intended -> {record_command(folder_of(player.cassette.file, player.cassette.case))}",
    ]
    if player.policy == "error":
        fixes.append("unused ones are fine   -> replay: {unused: warn} in the case")
    lines += [f"  {'fix' if i == 0 else '':<9} {fix}" for i, fix in enumerate(fixes)]
    return "\n".join(plain(cut(line, WIDTH + 60)) for line in lines)


def changed_pins(then: Pins | None, asked: Sequence[Request]) -> JsonObject:
    """The pins of prompt and model that changed since the recording: name -> [then, now]."""
    out: JsonObject = {}
    first = first_of(asked)
    if then is None or first is None:
        return out
    now = prompt_digest(first)
    if then.prompt is not None and now != then.prompt:
        out["prompt"] = [then.prompt, now]
    models = models_of(asked)
    if then.model is not None and models is not None and not set(_listed(models)) <= set(_listed(then.model)):
        out["model"] = [then.model, models]
    return out


def _listed(models: str | list[str]) -> list[str]:
    return [models] if isinstance(models, str) else models


def _nearest(player: ModelPlayer, request: Request, asked: Conversation | None) -> Entry | None:
    """The recorded request of the same kind that is least apart; one that was not played wins a tie, then the earlier one."""
    same_kind: list[tuple[tuple[int, int, int, bool, int], Entry]] = []
    for entry in player.entries:
        recorded = entry.exchange.request
        if recorded.method != request.method:
            continue
        then = read(recorded)
        if recorded.path == request.path or shared(then, asked):
            apart = distance(recorded, then, request, asked)
            same_kind.append(((*apart, entry.played, entry.index), entry))
    return min(same_kind, key=lambda found: found[0])[1] if same_kind else None


def _head(reason: str, case: str, folder: str, number: int, request: Request) -> str:
    return f"CassetteMiss [{reason}] {case}, trial {trial_of(folder)}, request {number}: {request.method} {request.path}"


def _sent(request: Request, asked: Conversation | None) -> str:
    """``smollm2, 4 messages, the last tool: orders.get answered {...}``."""
    if asked is not None and asked.messages:
        count = len(asked.messages)
        last = f"{count} messages, the last {asked.messages[-1]}" if count > 1 else str(asked.messages[0])
        return cut(f"{asked.model or 'no model named'}, {last}", WIDTH - 20)
    if not request.body:
        return "no body"
    text = request.body.decode(errors="replace").replace("\n", " ").replace("\r", "")
    return cut(f"{len(request.body)} bytes: {text}", WIDTH - 20)


def _closest(player: ModelPlayer, entry: Entry) -> str:
    standing = "played" if entry.played else "not played"
    return f"request {entry.index + 1} of {len(player.entries)}   {player.cassette.place(entry.exchange)} ({standing})"


def _difference_lines(found: Sequence[Difference]) -> list[str]:
    """The differing message as a short diff, then the other places a line each."""
    out: list[str] = []
    texts = [difference for difference in found if difference.lines]
    values = [difference for difference in found if not difference.lines]
    for difference in texts:
        out += [difference.where, *difference.lines]
    shown = values if len(values) <= _SHOWN else values[: _SHOWN - 1]
    width = min(max((len(difference.where) for difference in shown), default=0), 60)
    out += [f"{cut(difference.where, 60):<{width}}   {difference.what}" for difference in shown]
    return out if len(shown) == len(values) else [*out, f"and {len(values) - len(shown)} more"]


def _why(
    player: ModelPlayer,
    request: Request,
    fitting: Sequence[Entry],
    nearest: Entry | None,
    found: Sequence[Difference],
    pins: JsonObject,
) -> list[str]:
    if fitting:
        count = times(len(fitting))
        return [f"recorded {count} and played {count}; a recorded answer is given once"]
    if nearest is None:
        made = dict.fromkeys(f"{e.exchange.request.method} {e.exchange.request.path}" for e in player.entries)
        return [cut(f"the recorded run sent no {request.method} {request.path}; it sent {', '.join(made)}", WIDTH)]
    if found and all(difference.by_the_clock for difference in found):
        return ["only dates, times or random ids differ: the agent puts something into its request that no two runs share"]
    said = _WHY.get(found[0].role) if found and not pins else None
    return [said] if said else []


def _numbers(entries: Sequence[Entry]) -> str:
    """``requests 1-3, 5``."""
    if not entries:
        return "nothing"
    runs: list[list[int]] = []
    for number in (entry.index + 1 for entry in entries):
        if runs and runs[-1][-1] == number - 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    text = ", ".join("-".join(map(str, run)) for run in runs)
    return cut(f"request{'s' if len(entries) > 1 else ''} {text}", WIDTH - 40)


def _waiting_line(player: ModelPlayer, waiting: Sequence[Entry]) -> str:
    if not waiting:
        return "nothing"
    return f"{_numbers(waiting)}   (the next: {player.cassette.place(waiting[0].exchange)})"


def _pins_line(then: Pins | None, changed: JsonObject) -> str:
    if then is None or (then.model is None and then.prompt is None):
        return "none recorded"
    parts = []
    for name, pin in (("prompt", then.prompt), ("model", then.model)):
        if name in changed:
            was, now = changed[name]
            parts.append(f"{name} CHANGED ({pin_text(was)} -> {pin_text(now)})")
        elif pin is not None:
            parts.append(f"{name} ok")
    line = " | ".join(parts)
    return f"{line}   <- likely cause" if changed else line


def _fixes(folder: str, reason: MissReason, found: Sequence[Difference], *, talks: bool) -> list[tuple[str, str]]:
    again = record_command(folder)
    ways = [
        ("the agent is wrong", "fix the agent or its prompt; the recording is right"),
        ("the change is intended", again),
    ]
    if reason == "exhausted" or (found and found[0].is_new):
        adding = record_command(folder, "new_episodes")
        ways.append(("the request is extra", f"keep what is recorded and add to it: {adding}"))
    elif found and all(difference.by_the_clock for difference in found):
        ways.append(("it differs every run", "take the time and ids from task.now() and task.uuid4(), which replay alike"))
    elif not talks:
        ways.append(_TO_A_TOOL)
    else:
        ways[-1:] = [
            ("the change is intended", f"{model_command(folder)}   (no tool is called)"),
            ("to judge it first", f"{hybrid_command(folder)}   (no tool is called, nothing is kept)"),
            ("other calls follow", f"{again}   (tools are called for real)"),
        ]
    return ways


def _data(request: Request, reason: str, differs: list[str], ways: Sequence[tuple[str, str]]) -> JsonObject:
    return {
        "reason": reason,
        "method": request.method,
        "path": request.path,
        "differs": differs,
        "file": None,
        "line": None,
        "fixes": [{"when": when, "do": what} for when, what in ways],
    }
