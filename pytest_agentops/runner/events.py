"""The events file of a run: one JSON object a line, whole, for people and tools that want more than the results file."""

from __future__ import annotations

import os
from pathlib import Path

from ..schema.run import Run
from ..schema.values import JsonObject, dumps, written
from .leaks import without_secrets

_TOKEN = os.urandom(16).hex()
"""Stands in no run."""
_PARTS, _END = f',"{_TOKEN}",', f',"{_TOKEN}"'


def events(run: Run) -> list[JsonObject]:
    """What happened, in order: the messages, the calls with their results, the state, the end."""
    lines: list[JsonObject] = [{"event": "run", "trial": run.trial, "mode": run.mode, "task": run.task, "labels": run.labels}]
    lines += [{"event": "message", **message} for message in run.messages]
    lines += [
        {
            "event": "call",
            **call.as_json(),
            "result": call.result,
            "findings": call.findings,
            **({"shadow": call.shadow} if call.shadow else {}),
            **({"stored": True} if call.stored else {}),
            "turn": call.turn,
        }
        for call in run.calls
    ]
    lines += [{"event": "problem", "kind": p.kind, "text": p.text, "data": p.data} for p in run.problems]
    if run.state.known:
        lines.append({"event": "state", "before": run.state.before, "after": run.state.after})
    lines.append(
        {
            "event": "end",
            "outcome": run.outcome,
            "stop": run.stop,
            "output": run.output,
            "success": run.success,
            "checks": [check.as_json() for check in run.checks],
            "error": run.error,
            "stale": run.stale,
        }
    )
    return lines


def write_events(run: Run, path: str | Path) -> None:
    """Write the file in one go; what an earlier run left there is replaced, never appended to.

    It has all that the results file will have, so this is where both are kept free of secrets.
    """
    data = without_secrets(run, _text)
    if data is None:
        run.events = None
        Path(path).unlink(missing_ok=True)
        return
    try:
        _write(path, data)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        _write(path, data)


def _text(run: Run) -> bytes:
    # written at once, since making an encoder costs more than writing a short line; the lines part where the token stands
    parted = [part for line in events(run) for part in (line, _TOKEN)]
    return written(dumps(parted)[1:-1].replace(_PARTS, "\n").removesuffix(_END)) + b"\n"


def _write(path: str | Path, data: bytes) -> None:
    # over the old bytes, then cut to length: emptying a file that the disk has seen costs more than the rest of the writing
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
    try:
        os.write(handle, data)
        if os.fstat(handle).st_size > len(data):
            os.ftruncate(handle, len(data))
    finally:
        os.close(handle)
