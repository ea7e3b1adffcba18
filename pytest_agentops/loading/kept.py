"""A loaded suite as JSON and back, for the parsed cache: what was right is not checked again while its text is the same."""

from __future__ import annotations

from pathlib import Path

from ..schema.values import Json, JsonObject
from .variant import LoadedSuite, SuiteHead, Variant

_FIELDS = ("id", "variant", "line", "skip", "xfail", "trials", "agent", "asks", "payload")
_LISTS = ("tags", "fixtures", "python", "policies")


def to_json(suite: LoadedSuite) -> JsonObject | None:
    """The suite, or None where it depends on more than its own text (prompt files, checks from outside)."""
    head = suite.variants[0].head
    if head.prompts or head.checks:
        return None
    return {
        "name": suite.name,
        "description": suite.description,
        "digest": suite.digest,
        "contracts": head.contracts,
        "budget_usd": head.budget_usd,
        "runbooks": head.runbooks,
        "prices": head.prices,
        "slo": head.slo,
        "defaults": head.defaults,
        "lines": head.lines,
        "places": head.places,
        "gates": head.gates,
        "gate_places": head.gate_places,
        "variants": [
            {
                **{name: getattr(v, name) for name in _FIELDS},
                **{name: list(getattr(v, name)) for name in _LISTS},
                "tools": list(v.tools) if isinstance(v.tools, tuple) else v.tools,
            }
            for v in suite.variants
        ],
    }


def from_json(kept: Json, path: Path, file: str, digest: str) -> LoadedSuite | None:
    """The same suite again; None if this is none of ours, or of another text than the one with this digest."""
    try:
        return _suite(kept, path, file) if kept["digest"] == digest else None
    except (KeyError, TypeError, AttributeError, ValueError):
        return None


def _suite(kept: JsonObject, path: Path, file: str) -> LoadedSuite:
    head = SuiteHead(
        name=kept["name"],
        file=file,
        base_dir=str(path.parent),
        contracts=kept["contracts"],
        checks=frozenset(),
        budget_usd=kept["budget_usd"],
        runbooks=kept["runbooks"],
        prices=kept["prices"],
        slo=kept["slo"],
        defaults=kept["defaults"],
        lines=kept["lines"],
        places=kept["places"],
        gates=kept["gates"],
        gate_places=kept["gate_places"],
    )
    shared: dict[tuple[Json, ...], tuple[Json, ...]] = {}
    variants = []
    for given in kept["variants"]:
        for name in _LISTS:
            made = tuple(given[name])
            given[name] = shared.setdefault(made, made)
        if isinstance(given["tools"], list):
            given["tools"] = tuple(given["tools"])
        variants.append(Variant(head=head, **given))
    if not variants:
        raise ValueError("a suite has cases")
    return LoadedSuite(kept["name"], file, path, kept["description"], variants, kept["digest"])
