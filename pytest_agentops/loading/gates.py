"""What a schema cannot say of gates; and what makes two runs of a case comparable."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ..errors import CaseFileError, Mistake
from ..schema.document import read
from ..schema.gates import LIMITS, Gates
from ..schema.sentences import count
from ..schema.suggest import did_you_mean
from ..schema.validate import Schema
from ..schema.values import Json, JsonObject, digest
from . import shape
from .build import build
from .variant import Variant

Say = Callable[..., None]

ASKED = ("task", "turns", "setup", "context", "principal", "approvals", "clock", "faults", "expect")
"""Fields of a case that say what is asked and expected. The agent, its model, prompt, tools and policies are what is compared."""


def digest_of(case: JsonObject) -> str:
    """Of what a merged case asks."""
    return digest({key: case[key] for key in ASKED if case.get(key) is not None})


def check(gates: Mapping[str, Json], variants: Sequence[Variant], say: Say) -> None:
    """Note gates that decide nothing or can never hold; `variants` are the suite's, empty for gates of a whole session."""
    for name, spec in gates.items():
        if name in LIMITS:
            _range(name, spec, say)
    k = (gates.get("pass_hat_k") or {}).get("k")
    fewest = min((variant.trials for variant in variants), default=None)
    if k is not None and fewest is not None and k > fewest:
        has = f"k: {k}, and a case has {count(fewest, 'trial')}"
        say(("pass_hat_k", "k"), has, f"expected at most {fewest}", "give it more trials")
    known = sorted({tag for variant in variants for tag in variant.tags})
    for index, tag in enumerate((gates.get("critical") or {}).get("tags") or ()):
        if variants and tag not in known:
            words = f"expected one of {', '.join(known)}" if known else "no case has a tag"
            say(("critical", "tags", index), f"critical: no case has the tag {tag!r}", words, did_you_mean(tag, known))


def _range(name: str, spec: JsonObject, say: Say) -> None:
    low, high = spec.get("min"), spec.get("max")
    watched = spec.get("regression_alpha") is not None
    if low is None and high is None and not watched:
        say((name,), f"{name}: a gate that limits nothing", "expected min or max")
    if low is not None and high is not None and low > high:
        say((name, "min"), f"{name}: min {low} is above max {high}, so it can never hold")
    if spec.get("confidence") is not None and low is None and high is None and watched:
        say((name, "confidence"), f"{name}: a confidence without min or max")


def gates_of(spec: JsonObject) -> Gates:
    """The gates of a suite that was loaded."""
    return build(Gates, spec)


def session_gates(lines: Sequence[str], file: str) -> tuple[JsonObject, Gates | None]:
    """Ini ``agentops_gates``, a gate a line: as JSON and as types; raises `CaseFileError` that counts lines of the value."""
    text = "\n".join(lines)
    if not text.strip():
        return {}, None
    document = read(text, file=file)
    value = document.value
    if not isinstance(value, dict):
        raise CaseFileError(
            [document.mistake((), "agentops_gates: a gate a line is wanted", "", "task_success_rate: {min: 0.9}")]
        )
    mistakes = [
        Mistake(file=file, line=m.line, col=m.col, found=f"agentops_gates: {m.found}", allowed=m.allowed, hint=m.hint)
        for m in shape.mistakes_of(_schema(), document)
    ]
    if not mistakes:
        spec = {name: one for name, one in value.items() if one is not None}
        check(spec, (), lambda place, *words: mistakes.append(document.mistake(place, *words)))
        if not mistakes:
            return spec, gates_of(spec)
    raise CaseFileError(mistakes)


def _schema() -> Schema:
    import json

    from .schema_file import print_schema

    whole = json.loads(print_schema())
    return Schema({"$defs": whole["$defs"], "$ref": "#/$defs/Gates"})
