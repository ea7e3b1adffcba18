"""What is written otherwise in two versions of policies, rule by rule; whether it decides otherwise is another question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..schema.policy import EXPIRES_S
from .explained import says
from .model import LimitRule, Placed, Policy, Rule, WindowRule


@dataclass(frozen=True, slots=True)
class TextChange:
    """One rule, or one key of a policy; None on the side that does not have it."""

    name: str
    before: str | None
    after: str | None
    where: str
    """On the new side, if it is there."""

    def __str__(self) -> str:
        if self.before is None:
            return f"{self.where}: {self.name} is new: {self.after}"
        if self.after is None:
            return f"{self.where}: {self.name} is gone: {self.before}"
        return f"{self.where}: {self.name}: {self.before} -> {self.after}"


def text_changes(before: Sequence[Policy], after: Sequence[Policy]) -> Iterator[TextChange]:
    """Every difference, by the names of policies and rules."""
    old, new = {policy.id: policy for policy in before}, {policy.id: policy for policy in after}
    for name in dict.fromkeys((*old, *new)):
        one, other = old.get(name), new.get(name)
        if one is None or other is None:
            there = one or other
            assert there is not None
            text = f"{len(_rules(there))} rules for {there.tool}"
            yield TextChange(f"policy {name}", text if one else None, text if other else None, there.where)
            continue
        yield from _named(_keys(one), _keys(other), one, other)
        yield from _of_rules(one, other)


def _named(before: Mapping[str, str], after: Mapping[str, str], old: Policy, new: Policy) -> Iterator[TextChange]:
    for key in dict.fromkeys((*before, *after)):
        if before.get(key) != after.get(key):
            where = new.where if key in after else old.where
            yield TextChange(f"{new.id}: {key}", before.get(key), after.get(key), where)


def _of_rules(old: Policy, new: Policy) -> Iterator[TextChange]:
    before, after = _rules(old), _rules(new)
    for key in dict.fromkeys((*before, *after)):
        one, other = before.get(key), after.get(key)
        texts = [None if rule is None else text_of(rule) for rule in (one, other)]
        if texts[0] != texts[1]:
            there = other or one
            assert there is not None
            yield TextChange(f"rule {key}", texts[0], texts[1], there.where)
    kept = [[name for name in rules if name in before and name in after] for rules in (before, after)]
    if kept[0] != kept[1]:
        yield TextChange(f"{new.id}: the order of the rules", ", ".join(kept[0]), ", ".join(kept[1]), new.where)


def _rules(policy: Policy) -> dict[str, Placed]:
    every: tuple[Placed, ...] = (*policy.rules, *policy.logs, *policy.windows, *policy.limits)
    return {rule.id: rule for rule in sorted(every, key=lambda rule: (rule.file == policy.file, rule.line))}


def text_of(rule: Placed) -> str:
    """A rule in one line, with all that makes a difference."""
    head = "always" if rule.condition is None else f"if {' '.join(rule.condition.text.split())}"
    more = ""
    need = rule.need if isinstance(rule, (Rule, LimitRule)) else None
    if need is not None:
        more = f", expires {need.expires_s} s" if need.expires_s != EXPIRES_S else ""
        more += f", may edit {', '.join(need.allow_edit)}" if need.allow_edit is not None else ""
    if isinstance(rule, WindowRule):
        window = rule.window
        more = f" days {sorted(window.days)} from minute {window.start} to {window.end} in {window.zone.key}"
    return f"{head}: {says(rule)}{more}"


def _keys(policy: Policy) -> dict[str, str]:
    """What is said of the policy as a whole."""
    said = {
        "tool": policy.tool,
        "tier": policy.tier,
        "mode": policy.mode,
        "default": policy.default and f"{policy.default} {policy.default_need or ''}".strip(),
        "on_unknown": policy.on_unknown,
        "override_tier": policy.override_tier,
        "scopes": ", ".join(policy.scopes) or None,
    }
    out = {key: str(value) for key, value in said.items() if value is not None}
    for d in policy.attributes:
        parts = {"type": d.type, "enum": d.enum, "minimum": d.minimum, "maximum": d.maximum, "required": d.required or None}
        out[f"attributes.{d.name}"] = ", ".join(f"{key} {value}" for key, value in parts.items() if value is not None)
    return out
