"""A loaded suite as JSON and back, for the parsed cache: what was right is not checked again while its text is the same."""

from __future__ import annotations

from pathlib import Path

from ..schema.values import Json, JsonObject
from .variant import LoadedSuite, SuiteHead, Variant

_FIELDS = ("id", "variant", "line", "skip", "xfail", "trials", "agent", "payload")
_LISTS = ("tags", "fixtures", "python")


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
        "defaults": head.defaults,
        "lines": head.lines,
        "variants": [
            {
                **{name: getattr(v, name) for name in _FIELDS},
                **{name: list(getattr(v, name)) for name in _LISTS},
                "tools": list(v.tools) if isinstance(v.tools, tuple) else v.tools,
            }
            for v in suite.variants
        ],
    }


def from_json(kept: JsonObject, path: Path, file: str) -> LoadedSuite:
    """The same suite again."""
    head = SuiteHead(
        name=kept["name"],
        file=file,
        base_dir=str(path.parent),
        contracts=kept["contracts"],
        checks=frozenset(),
        defaults=kept["defaults"],
        lines=kept["lines"],
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
    return LoadedSuite(kept["name"], file, path, kept["description"], variants, kept["digest"])
