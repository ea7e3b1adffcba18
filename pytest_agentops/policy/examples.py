"""A call as a policy's own test writes it, so that what a report shows can be pasted below `tests:`."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ..schema.policy import Request
from ..schema.values import Json, dumps

_LONG = 60


def as_test(request: Request, *, expect: str | None = None) -> str:
    """``{args: {amount_usd: 20}, context: {customer_tier: pro}}`` in one line."""
    parts: dict[str, Any] = {"args": request.args, "context": request.context, "principal": _who(request)}
    said = [f"{key}: {_flow(value)}" for key, value in parts.items() if value]
    if request.now is not None:
        said.append(f'clock: "{request.now.isoformat()}"')
    spent = {key.rpartition("/")[2]: amount for key, amount in request.spent.items() if amount}
    if spent:
        said.append(f"spent: {_flow(spent)}")
    if request.session:
        said.append(f"session: {_flow(dict(request.session))}")
    if expect is not None:
        said.append(f"expect: {expect}")
    return f"{{{', '.join(said)}}}"


def _who(request: Request) -> dict[str, Any]:
    who = request.principal
    found = {"id": who.id, "on_behalf_of": who.on_behalf_of, "roles": list(who.roles), "scopes": list(who.scopes)}
    return {key: value for key, value in found.items() if value}


def _flow(value: Json) -> str:
    """JSON in YAML's flow style, keys bare where they may be; a value that is too long to read is cut and no longer a test."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_key(key)}: {_flow(item)}' for key, item in value.items())}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_flow(item) for item in value)}]"
    if isinstance(value, Decimal):
        return f"{value:f}"
    text = dumps(value) if not isinstance(value, float) or value == value else "nan"
    return text if len(text) <= _LONG else f"{text[:_LONG]}…"


def _key(key: str) -> str:
    plain = key.isidentifier() and key not in ("true", "false", "null")
    return key if plain else dumps(key)
