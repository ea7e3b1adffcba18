"""What is written otherwise in two versions of policies, rule by rule; whether it decides otherwise is another question."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest

from ..schema.policy import EXPIRES_S
from .explained import says
from .model import LimitRule, Placed, Policy, Rule, WindowRule
from .paired import paired


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
    for one, other in _same_policies(before, after):
        if one is None or other is None:
            there = one or other
            assert there is not None
            text = f"{len(_rules(there))} rules for {there.tool}"
            yield TextChange(f"policy {there.id}", text if one else None, text if other else None, there.where)
            continue
        yield from _named(_keys(one), _keys(other), one, other)
        yield from _of_rules(one, other)


def _same_policies(before: Sequence[Policy], after: Sequence[Policy]) -> list[tuple[Policy | None, Policy | None]]:
    """Policies of one id; where several files have one of it, in the files that stand for each other."""
    found: list[tuple[Policy | None, Policy | None]] = []
    for name in dict.fromkeys(policy.id for policy in (*before, *after)):
        found += paired(*([policy for policy in side if policy.id == name] for side in (before, after)))
    return found


def _named(before: Mapping[str, str], after: Mapping[str, str], old: Policy, new: Policy) -> Iterator[TextChange]:
    for key in dict.fromkeys((*before, *after)):
        if before.get(key) != after.get(key):
            where = new.where if key in after else old.where
            yield TextChange(f"{new.id}: {key}", before.get(key), after.get(key), where)


def _of_rules(old: Policy, new: Policy) -> Iterator[TextChange]:
    """Rules with an id are the same by their ids, others by their texts: one that is put in between renames those after it."""
    before, after = _rules(old), _rules(new)
    kept = [[_key(rule) for rule in rules] for rules in (before, after)]
    named = [{rule.id: rule for rule in rules if _has_id(rule)} for rules in (before, after)]
    for key in dict.fromkeys((*named[0], *named[1])):
        yield from _one(named[0].get(key), named[1].get(key))
    for one, other in _paired(*([rule for rule in rules if not _has_id(rule)] for rules in (before, after))):
        yield from _one(one, other)
    orders = [[key for key in keys if key in kept[0] and key in kept[1]] for keys in kept]
    if orders[0] != orders[1]:
        names = [{_key(rule): rule.id for rule in rules} for rules in (before, after)]
        texts = [", ".join(name[key] for key in order) for name, order in zip(names, orders, strict=True)]
        yield TextChange(f"{new.id}: the order of the rules", texts[0], f"{texts[1]} (as they are numbered now)", new.where)


def _one(before: Placed | None, after: Placed | None) -> Iterator[TextChange]:
    texts = [None if rule is None else text_of(rule) for rule in (before, after)]
    there = after or before
    if there is not None and texts[0] != texts[1]:
        yield TextChange(f"rule {there.id}", texts[0], texts[1], there.where)


def _paired(before: list[Placed], after: list[Placed]) -> Iterator[tuple[Placed | None, Placed | None]]:
    """Rules without an id that differ; what only moved is left out."""
    texts = [[text_of(rule) for rule in rules] for rules in (before, after)]
    counts = [Counter(each) for each in texts]
    moved = {text for text in counts[0] if counts[0][text] == counts[1][text]}
    for word, start, end, start2, end2 in SequenceMatcher(None, texts[0], texts[1], autojunk=False).get_opcodes():
        if word != "equal":
            gone = [rule for rule in before[start:end] if text_of(rule) not in moved]
            come = [rule for rule in after[start2:end2] if text_of(rule) not in moved]
            yield from zip_longest(gone, come)


def _has_id(rule: Placed) -> bool:
    return not rule.id.rpartition("/")[2].isdigit()


def _key(rule: Placed) -> str:
    return rule.id if _has_id(rule) else text_of(rule)


def _rules(policy: Policy) -> list[Placed]:
    return sorted(policy.placed, key=lambda rule: (rule.file == policy.file, rule.line))


def text_of(rule: Placed) -> str:
    """A rule in one line, with all that makes a difference."""
    head = "always" if rule.condition is None else f"if {' '.join(rule.condition.text.split())}"
    more = ""
    need = rule.need if isinstance(rule, (Rule, LimitRule)) else None
    if need is not None:
        more = f", expires {need.expires_s} s" if need.expires_s != EXPIRES_S else ""
        more += f", may edit {', '.join(need.allow_edit)}" if need.allow_edit is not None else ""
        more += f", escalates to {', '.join(need.escalate_to)}" if need.escalate_to else ""
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
