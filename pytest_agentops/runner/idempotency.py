"""The idempotency stage: one key, one call, whatever the tool would do with a second."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from ..schema.values import Json, JsonObject, canonical
from ..tools.arguments import normalise
from .guard import Pending

_Key: TypeAlias = tuple[str, str]
"""The tool, and the key as one text."""


@dataclass(slots=True)
class _Kept:
    """What is known of one call with a key."""

    args: frozenset[str]
    """The arguments beside the key, each as one text: as they were asked, and as a human edited them."""
    owner: Pending
    tried: bool = False
    """An earlier call had reached the tool, and failed."""
    done: bool = False
    result: Json = None
    clear: Json = None
    in_clear: bool = False


class IdempotencyStage:
    """The same key with the same arguments is one call: the second gets the stored result, whatever the tool would do.

    The same key with other arguments is an error, and so is one while the first call is still in flight. A call that failed
    leaves its key bound to its arguments and may be tried again. A call that a human edited is known by what was asked (an
    agent that tries again need not know of the edit) and by what ran.
    """

    name = "idempotency"

    def __init__(self, fold: Callable[[Json], Json], *, on_stored: Callable[[Pending], None]) -> None:
        self._fold = fold
        self._on_stored = on_stored
        self._known: dict[_Key, _Kept] = {}
        self._lock = threading.Lock()

    def before(self, pending: Pending) -> None:
        forms = _forms(pending)
        keys = [key for form in forms if (key := self._key(pending, form)) is not None]
        if not keys:
            return
        tool, args = pending.call.tool, frozenset(_beside_key(pending, form) for form in forms)
        with self._lock:
            known = next((self._known[key] for key in keys if key in self._known), None)
            if known is None:
                self._known.update(dict.fromkeys(keys, _Kept(args, pending)))
                return
            if known.args.isdisjoint(args):
                message = f"{tool}: this idempotency key was used for other arguments; a new call needs a new key"
                raise pending.stop(message, decision="invalid", reason="idempotency_conflict")
            failed = known.owner.call.error is not None or known.owner.error is not None
            if not known.done and not failed and known.owner is not pending:
                message = f"{tool}: a call with this idempotency key is still in flight"
                raise pending.stop(message, decision="invalid", reason="idempotency_conflict")
            known.args |= args
            for key in keys:
                self._known.setdefault(key, known)
            if known.done:
                self._give(pending, known)
            else:
                known.owner, known.tried = pending, True

    def _give(self, pending: Pending, known: _Kept) -> None:
        pending.result, pending.clear = copy.deepcopy((known.result, known.clear))
        pending.in_clear = known.in_clear
        pending.answered = pending.call.stored = True
        self._on_stored(pending)

    def release(self, pending: Pending) -> None:
        """A call that never reached its tool leaves no key behind, but for that of an earlier one that did."""
        with self._lock:
            mine = [key for key, known in self._known.items() if known.owner is pending and not known.done]
            for key in mine:
                if not self._known[key].tried:
                    del self._known[key]

    def after(self, pending: Pending) -> None:
        key = self._key(pending, _forms(pending)[0])
        with self._lock:
            known = self._known.get(key) if key is not None else None
            if known is not None and known.owner is pending and pending.error is None:
                # a copy: the agent gets the other one, and may do with it what it likes
                known.result, known.clear = copy.deepcopy((pending.result, pending.clear))
                known.done, known.in_clear = True, pending.in_clear

    def _key(self, pending: Pending, args: JsonObject) -> _Key | None:
        name = pending.contract.idempotency_key
        value = None if name is None else args.get(name)
        return None if value is None or value == "" else (pending.call.tool, canonical(self._fold(value)))


def _forms(pending: Pending) -> list[JsonObject]:
    """The arguments as they would run, and, after an edit, as they were asked."""
    sent = pending.call.sent or pending.args
    return [sent] if pending.edited is None else [sent, normalise(pending.contract, pending.call.args)]


def _beside_key(pending: Pending, args: JsonObject) -> str:
    return canonical({name: value for name, value in args.items() if name != pending.contract.idempotency_key})
