"""What tokens cost: the only home of genai-prices, and of the table that its installed version ships.

The table is never updated over the network and never replaced by what other code of the process sets, so one version gives one
cost. A price that is not certain is unknown (None), never 0 and never a guess.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Context, Decimal, localcontext
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..schema.prices import ModelPrice
from ..schema.run import Usage
from ..schema.values import JsonObject
from .own import dollars, find
from .usage import Answer

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelInfo, Provider

_PRICE_OF_EXTRA = {
    "cache_write_1h_tokens": "cache_write_1h_mtok",
    "input_audio_tokens": "input_audio_mtok",
    "output_audio_tokens": "output_audio_mtok",
    "output_image_tokens": "output_image_mtok",
    "web_searches": "web_searches_kcount",
    "storage_searches": "storage_searches_kcount",
    "code_executions": "code_executions_kcount",
}
_USUAL_TIERS = ("default", "standard", "auto", "on_demand")
"""Words for the service tier that the plain prices are for."""


def cost(
    answer: Answer, *, url: str = "", at: datetime | None = None, own: Mapping[str, ModelPrice] | None = None
) -> Decimal | None:
    """Dollars for one answer: by the suite's `own` prices, else the provider's figure, else the table's.

    None if unknown, 0 where nothing is billed.
    """
    if not answer.billed:
        return Decimal(0)
    mine = find(own, answer) if own else None
    if mine is not None:
        return dollars(mine, answer.usage, answer.extras)
    if answer.stated_cost is not None:
        return answer.stated_cost
    if answer.usage is None or answer.model is None:
        return None
    return price(answer.usage, answer.model, endpoint=url, at=at, tier=answer.tier, extras=answer.extras)


def price(
    usage: Usage,
    model: str,
    *,
    endpoint: str = "",
    at: datetime | None = None,
    tier: str | None = None,
    extras: Mapping[str, int] | None = None,
) -> Decimal | None:
    """Dollars for these tokens, None where the price is unknown.

    `endpoint` is the request's URL: its host says whose prices hold, and a local or private host has none. `at` is when it was
    asked (some prices change with the hour); pass the recording's time, so that a replay costs what the run cost.
    """
    if is_local(endpoint) or not usage.is_possible:
        return None
    found = _found(model, endpoint)
    prices = {_price(one, provider, usage, at or datetime.now(tz=UTC), tier, extras or {}) for provider, one in found}
    # whose model it is may be open (a gateway, an imported transcript): then all who have it must ask the same
    return prices.pop() if len(prices) == 1 else None


def is_local(url: str) -> bool:
    """Whether a URL leads to this machine or a private network, where no provider's price holds."""
    host = (urlsplit(url if "//" in url else f"//{url}").hostname or "") if url else ""
    if not host:
        return False
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith((".local", ".localhost", ".internal", ".lan", ".home.arpa", ".svc"))


@lru_cache(maxsize=1)
def _table() -> DataSnapshot:
    """The prices that are shipped with the installed genai-prices."""
    from genai_prices.data import providers
    from genai_prices.data_snapshot import DataSnapshot

    return DataSnapshot(providers=providers, from_auto_update=False)


@lru_cache(maxsize=1)
def pin() -> JsonObject:
    """Which table the costs are of. It has no date of its own: `as_of` is the newest day from which one of its prices holds."""
    from importlib.metadata import version

    priced = [model.prices for provider in _table().providers for model in provider.models if isinstance(model.prices, list)]
    days = [start for prices in priced for one in prices if (start := getattr(one.constraint, "start_date", None)) is not None]
    newest = max(days).isoformat() if days else None
    return {"source": "genai-prices", "version": version("genai-prices"), "as_of": newest}


@lru_cache(maxsize=1024)
def _found(model: str, endpoint: str) -> tuple[tuple[Provider, ModelInfo], ...]:
    """Who may be meant by a model's name: the provider at the endpoint, the one that the name names, else all who have it."""
    table = _table()
    address = endpoint if endpoint.endswith("/") else f"{endpoint}/"
    try:
        if endpoint and (provider := table.find_provider(None, None, address)):
            return _in((provider,), model)
    except LookupError:
        pass  # a gateway, a host that the table does not know
    owner, slash, name = model.partition("/")
    if slash and (named := [p for p in table.providers if p.id == owner.lower()]):
        return _in(named, name)
    return tuple((p, one) for p in table.providers if (one := p.find_model(model)) and _has_prices(one))


def _in(providers: Iterable[Provider], model: str) -> tuple[tuple[Provider, ModelInfo], ...]:
    every = _table().providers
    return tuple((p, one) for p in providers if (one := p.find_model(model, all_providers=every)))


def _has_prices(model: ModelInfo) -> bool:
    """Whether the table has any; some entries are names only."""
    every = [each.prices for each in model.prices] if isinstance(model.prices, list) else [model.prices]
    return any(vars(prices) for prices in every)


def _price(
    model: ModelInfo, provider: Provider, usage: Usage, at: datetime, tier: str | None, extras: Mapping[str, int]
) -> Decimal | None:
    from genai_prices import Usage as Tokens

    if extras.keys() - _PRICE_OF_EXTRA.keys():
        return None
    context = None if tier is None or tier in _USUAL_TIERS else {"service_tier": tier}
    if context and not _has_tier(model, provider, context):
        return None
    counts: dict[str, Any] = {
        "input_tokens": usage.input,
        "output_tokens": usage.output,
        "cache_read_tokens": usage.cached or None,
        "cache_write_tokens": usage.cache_write or None,
        "output_reasoning_tokens": usage.reasoning or None,
    }
    try:
        with localcontext(Context(prec=50)):
            told = model.calc_price(Tokens(**counts, **extras), provider, genai_request_timestamp=at, price_context=context)
    except (ValueError, LookupError):
        return None  # counts that contradict each other
    asked = told.model_price
    needed = ["input_mtok", *(["output_mtok"] if usage.output else []), *(_PRICE_OF_EXTRA[name] for name in extras)]
    return told.total_price if all(getattr(asked, key, None) is not None for key in needed) else None


def _has_tier(model: ModelInfo, provider: Provider, context: Mapping[str, str]) -> bool:
    """Whether the table has prices for a service tier; a provider that only passes another's model on has none."""
    own = any(model is one for one in provider.models)
    return own and any(variant.when == context for variant in model.price_variants or ())
