"""An agent's traceback without the frames of this package: the person's own lines are what helps."""

from __future__ import annotations

import traceback
from pathlib import Path

_OURS = str(Path(__file__).parent.parent)


def trace_of(error: BaseException) -> str:
    """The traceback as Python prints it, our frames left out of it and of what it was caused by."""
    whole = traceback.TracebackException.from_exception(error)
    seen: set[int] = set()
    waiting = [whole]
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        one.stack = traceback.StackSummary.from_list([frame for frame in one.stack if not frame.filename.startswith(_OURS)])
        waiting += [other for other in (one.__cause__, one.__context__, *(one.exceptions or ())) if other is not None]
    return "".join(whole.format())
