"""The rules of a policy: each says one thing (allow, deny, require_approval, log, within, limit), with or without a condition."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ..schema import paths
from ..schema.policy import EXPIRES_S, ApprovalNeed, Obligations, Verdict
from ..schema.sentences import shown
from .model import LimitRule, LogRule, Rule, Source, WindowRule
from .people import never
from .shape import Keys, Notes, Place
from .windows import window

EFFECTS = ("allow", "deny", "require_approval")
DUTIES = ("log", "within", "limit")
RULE_KEYS = ("id", "if", *EFFECTS, *DUTIES, "reason")
APPROVAL_KEYS = ("role", "count", "distinct_from", "expires", "on_timeout", "escalate_to", "allow_edit")
LOG_KEYS = ("redact_fields", "retain_days")
WITHIN_KEYS = ("days", "from", "to", "tz")
LIMIT_KEYS = ("sum", "per", "max", "else")
MAX_PEOPLE = 20
_ID = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,79}")
_DURATION = re.compile(r"([1-9][0-9]{0,5})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(slots=True)
class Rules:
    """The rules of one policy by their kind."""

    rules: list[Rule] = field(default_factory=list)
    logs: list[LogRule] = field(default_factory=list)
    windows: list[WindowRule] = field(default_factory=list)
    limits: list[LimitRule] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)
    """A rule's id or number to its line."""


class RuleReader:
    """Reads the rules of one policy; `roles` are those that the file declares, with their people."""

    def __init__(self, notes: Notes, policy: str, roles: Mapping[str, tuple[str, ...]] | None) -> None:
        self.notes = notes
        self.policy = policy
        self.roles = roles
        self.out = Rules()

    def read(self, keys: Keys) -> Rules:
        for index, entry in enumerate(keys.entries("rules")):
            self.rule(Keys(self.notes, keys.at("rules", index), entry, RULE_KEYS, f"rules[{index}]"), index)
        return self.out

    def rule(self, keys: Keys, index: int) -> None:
        if not keys.good:
            return
        name = self._name(keys, index)
        condition = keys.condition("if") if "if" in keys else None
        said = [key for key in (*EFFECTS, *DUTIES) if key in keys]
        if len(said) != 1:
            self._not_one(keys, said)
            return
        note = keys.text("reason") or "" if "reason" in keys else ""
        placed: dict[str, Any] = {
            "id": f"{self.policy}/{name}",
            "file": self.notes.document.file,
            "line": self.notes.line(keys.place),
            "source": Source(self.notes.document, keys.place),
            "condition": condition,
        }
        word = said[0]
        if word in DUTIES and note:
            keys.wrong("reason", f"`{word}` decides nothing that needs a reason", "", "leave it out", value=False)
        if word in ("allow", "deny"):
            self._flag(keys, word)
            verdict: Verdict = "allow" if word == "allow" else "deny"
            self.out.rules.append(Rule(**placed, verdict=verdict, note=note))
        elif word == "require_approval":
            need = self.approval(keys, word)
            self.out.rules.append(Rule(**placed, verdict="require_approval", need=need or ApprovalNeed(role=None), note=note))
        elif word == "log":
            rule = LogRule(**placed, obligations=self._log(keys))
            self._retention(rule, keys.at("log"))
            self.out.logs.append(rule)
        elif word == "within":
            self._within(keys, placed)
        else:
            self._limit(keys, placed)

    def _name(self, keys: Keys, index: int) -> str:
        name = keys.text("id") if "id" in keys else None
        if name is not None and not _ID.fullmatch(name):
            keys.wrong("id", f"{shown(name)} is no id", "letters, digits, _ . and -, beginning with a letter")
            name = None
        name = name or str(index + 1)
        if name in self.out.names:
            keys.wrong("id", f"{name!r} is the id of the rule on line {self.out.names[name]} already")
        self.out.names[name] = self.notes.line(keys.place)
        return name

    def _not_one(self, keys: Keys, said: list[str]) -> None:
        if len(said) > 1:
            found = f"{' and '.join(f'`{key}`' for key in said)} in one rule"
            self.notes.wrong(keys.at(said[1]), found, "a rule says one thing", "write a rule for each")
        elif not keys.strays:
            found = f"the rule does nothing; expected one of {', '.join((*EFFECTS, *DUTIES))}"
            self.notes.wrong(keys.place, found)

    def _flag(self, keys: Keys, word: str) -> None:
        flag = keys.flag(word)
        if flag is False:
            other = "deny" if word == "allow" else "allow"
            keys.wrong(word, "false says nothing", "", f"write `{other}: true`, or remove the rule")

    def approval(self, keys: Keys, key: str) -> ApprovalNeed | None:
        """The short form (a role) or the long one."""
        value = keys.value.get(key)
        if isinstance(value, str) or not isinstance(value, dict):
            role = keys.text(key)
            self.known_role(keys, key, role, 1)
            return None if role is None else ApprovalNeed(role=role)
        inner = Keys(self.notes, keys.at(key), value, APPROVAL_KEYS)
        role = inner.text("role")
        if "role" not in inner:
            self.notes.wrong(keys.at(key), f"{key}: the key 'role' is missing", "", "write the role that approves")
        count = inner.whole("count", 1, MAX_PEOPLE) or 1
        self.known_role(inner, "role", role, count)
        for index, word in enumerate(inner.texts("distinct_from") or ()):
            if word != "requester":
                found = f"distinct_from[{index}]: must be requester, found {shown(word)}"
                self.notes.wrong(inner.at("distinct_from", index), found, value=True)
        inner.word("on_timeout", ("deny",))
        later = inner.texts("escalate_to") or ()
        for index, other in enumerate(later):
            why = None if self.roles is None else never(other, 1, self.roles)
            if why is not None:
                found, allowed, hint = why
                self.notes.wrong(inner.at("escalate_to", index), f"escalate_to[{index}]: {found}", allowed, hint, value=True)
        return ApprovalNeed(
            role=role, count=count, expires_s=self._expires(inner), escalate_to=later, allow_edit=inner.texts("allow_edit")
        )

    def _expires(self, keys: Keys) -> int:
        text = keys.text("expires")
        match = _DURATION.fullmatch(text or "")
        if match is None:
            if text is not None:
                keys.wrong("expires", f"{shown(text)} is no duration", "expected one such as 90s, 15m, 2h or 1d")
            return EXPIRES_S
        return int(match[1]) * _SECONDS[match[2]]

    def known_role(self, keys: Keys, key: str, role: str | None, count: int) -> None:
        """A role that the file declares, with people enough; without declared roles anything goes."""
        if self.roles is None or role is None:
            return
        why = never(role, count, self.roles)
        if why is not None:
            keys.wrong(key, *why)

    def fallback(self, keys: Keys, key: str, *, allow: bool = False) -> tuple[Verdict | None, ApprovalNeed | None]:
        """``deny``, ``require_approval:ROLE``, or the mapping ``{require_approval: ...}``."""
        value = keys.value.get(key)
        if value is None and key not in keys:
            return None, None
        if isinstance(value, dict):
            inner = Keys(self.notes, keys.at(key), value, ("require_approval",))
            return "require_approval", self.approval(inner, "require_approval")
        text = keys.text(key)
        if text == "deny":
            return "deny", None
        if text == "allow" and allow:
            return "allow", None
        word, colon, role = (text or "").partition(":")
        if word == "require_approval" and colon and role.strip():
            self.known_role(keys, key, role.strip(), 1)
            return "require_approval", ApprovalNeed(role=role.strip())
        if text is not None:
            wanted = "deny, require_approval:ROLE" + (" or allow" if allow else "")
            keys.wrong(key, f"must be {wanted}, found {shown(text)}")
        return None, None

    def _log(self, keys: Keys) -> Obligations:
        inner = Keys(self.notes, keys.at("log"), keys.value["log"], LOG_KEYS)
        fields = inner.texts("redact_fields") or ()
        for index, name in enumerate(inner.value.get("redact_fields") or () if fields else ()):
            if isinstance(name, str) and paths.is_path(name):
                self._path(inner.at("redact_fields", index), name)
        days = inner.whole("retain_days", 1, 36_500)
        if inner.good and not fields and days is None and not {"redact_fields", "retain_days"} & set(inner.value):
            self.notes.wrong(inner.place, "log: nothing is asked for", f"expected {' or '.join(LOG_KEYS)}")
        return Obligations(redact_fields=tuple(sorted(set(fields))), retain_days=days)

    def _path(self, place: Place, text: str) -> None:
        try:
            paths.parse(text)
        except paths.PathError as error:
            self.notes.inside(place, error.column - 1, f"redact_fields: {text!r} is no JSON path: {error.why}")

    def _within(self, keys: Keys, placed: dict[str, Any]) -> None:
        inner = Keys(self.notes, keys.at("within"), keys.value["within"], WITHIN_KEYS)
        tz, start, end, chosen = inner.text("tz"), inner.text("from"), inner.text("to"), inner.texts("days")
        if not inner.good:
            return
        if "tz" not in inner:
            self.notes.wrong(inner.place, "within: a window without a time zone", "", "add tz, such as tz: Europe/Berlin")
        if not {"days", "from", "to"} & set(inner.value):
            self.notes.wrong(inner.place, "within: a window that is always open", "expected days, from or to")
        try:
            made = window(days_=chosen, start=start, end=end, tz=tz or "UTC")
        except ValueError as error:
            self.notes.wrong(inner.place, f"within: {error}")
            return
        self.out.windows.append(WindowRule(**placed, window=made))

    def _limit(self, keys: Keys, placed: dict[str, Any]) -> None:
        inner = Keys(self.notes, keys.at("limit"), keys.value["limit"], LIMIT_KEYS)
        if not inner.good:
            return
        summed = inner.attribute("sum") if "sum" in inner else None
        inner.word("per", ("session",))
        top = inner.amount("max")
        if "max" not in inner:
            self.notes.wrong(inner.place, "limit: the key 'max' is missing", "", "write the greatest sum that is still allowed")
        elif top is not None and top < 0:
            inner.wrong("max", f"must be at least 0, found {top}")
        _, need = self.fallback(inner, "else")
        self.out.limits.append(LimitRule(**placed, sum=summed, max=top or Decimal(0), need=need))

    def _retention(self, rule: LogRule, place: Place) -> None:
        """Two rules that apply to the same calls may not name different days."""
        days = rule.obligations.retain_days
        for other in self.out.logs:
            known = other.obligations.retain_days
            if other.condition == rule.condition and days is not None and known is not None and days != known:
                found = f"retain_days: {days} here and {known} on line {other.line}, for the same calls"
                self.notes.wrong((*place, "retain_days"), found, "", "keep one of them", value=True)
                return
