"""A policy file to policies: strict YAML, every mistake at once, each at its line and column."""

from __future__ import annotations

import datetime as dt
import os
import re
from pathlib import Path
from typing import Any, get_args

from ..errors import CaseFileError, Mistake
from ..schema.call import Reason
from ..schema.case import Principal
from ..schema.document import Document, read
from ..schema.policy import VERDICT_ORDER, ApprovalNeed, Verdict
from ..schema.sentences import shown
from ..schema.suggest import did_you_mean
from ..schema.values import Json, JsonObject, decimal, digest
from .attributes import prepare
from .extends import Chain, Resolve, Roles, base_of, inherited_name, joined, joined_roles, on_disk
from .model import Declared, Mode, Policy, PolicyFile, PolicyTest, Source, TypeWord
from .rules import RuleReader, Rules
from .shape import Keys, Notes, Place, attribute

FILE_KEYS = ("version", "policy", "policies", "roles")
POLICY_KEYS = (
    "extends",
    "id",
    "tool",
    "tier",
    "mode",
    "default",
    "on_unknown",
    "override_tier",
    "scopes",
    "attributes",
    "rules",
    "tests",
)
ATTRIBUTE_KEYS = ("type", "enum", "minimum", "maximum", "required")
TEST_KEYS = (
    "name",
    "tool",
    "args",
    "context",
    "principal",
    "clock",
    "spent",
    "expect",
    "reason",
    "rule",
    "roles",
    "redact_fields",
    "retain_days",
)
PRINCIPAL_KEYS = ("id", "on_behalf_of", "roles", "scopes")
MAX_RULES = 200
MAX_ATTRIBUTES = 32
"""Of a policy: each attribute that a condition reads costs time on every call."""
_TOOL = re.compile(r"[A-Za-z0-9_.:/*-]{1,128}")
_STARS = 4


def load(path: Path, rootdir: Path) -> PolicyFile:
    """Read a policy file; raises `CaseFileError` with all its mistakes."""
    return from_document(document_at(path, rootdir), resolve=on_disk(rootdir))


def document_at(path: Path, rootdir: Path) -> Document:
    """The YAML at `path`, which messages name from `rootdir`; raises `CaseFileError`."""
    file = os.path.relpath(path, rootdir).replace(os.sep, "/")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error.strerror or error)
        raise CaseFileError([Mistake(file=file, line=1, col=1, found=f"the file cannot be read: {why}")]) from None
    return document_of(text, file)


def document_of(text: str, file: str) -> Document:
    """The same of a text."""
    return read(text, file=file, deep=("policies",))


def load_text(text: str, *, file: str, resolve: Resolve | None = None, chain: Chain = ()) -> PolicyFile:
    """The policies that `text` writes; raises `CaseFileError` with all its mistakes."""
    return from_document(document_of(text, file), resolve=resolve, chain=chain)


def from_document(document: Document, *, resolve: Resolve | None = None, chain: Chain = ()) -> PolicyFile:
    """The same, of a file that was read already; `resolve` finds what a policy extends, `chain` are the files that extend it."""
    notes = Notes(document)
    top = Keys(notes, (), document.value, FILE_KEYS, "a policy file")
    policies: tuple[Policy, ...] = ()
    roles = None
    if top.good:
        _version(top)
        roles, policies = _policies(top, _roles(top), resolve, chain)
    if notes.mistakes:
        raise CaseFileError(notes.mistakes)
    return PolicyFile(file=document.file, policies=policies, digest=_digest(document.value, policies), roles=roles)


def _digest(value: JsonObject, policies: tuple[Policy, ...]) -> str:
    found = [value["policy"]] if "policy" in value else value["policies"]
    bases = [policy.base_digest for policy in policies if policy.base_digest is not None]
    plain = {**value, "policies": [{k: v for k, v in p.items() if k != "tests"} for p in found], "policy": None}
    return digest({**plain, "bases": bases} if bases else plain)


def _version(top: Keys) -> None:
    if "version" not in top:
        top.notes.wrong((), "the key 'version' is missing", "", "write `version: 1`")
    elif top.value["version"] != 1 or isinstance(top.value["version"], (bool, float)):
        top.wrong("version", f"must be 1, found {shown(top.value['version'])}")


def _roles(top: Keys) -> Roles | None:
    declared = top.mapping("roles")
    if declared is None:
        return None
    keys = Keys(top.notes, top.at("roles"), declared, tuple(declared))
    roles = {}
    for role in declared:
        people = keys.texts(role)
        if people is None and declared[role] is None:
            keys.wrong(role, "must be a list of people, found null")
        elif people is not None and not people:
            keys.wrong(role, "nobody has this role", "expected at least one person")
        roles[role] = tuple(dict.fromkeys(people or ()))
    return roles


def _policies(top: Keys, roles: Roles | None, resolve: Resolve | None, chain: Chain) -> tuple[Roles | None, tuple[Policy, ...]]:
    """The policies, and who has which role: bases say so, too."""
    notes = top.notes
    entries: list[tuple[Place, Json]] = []
    if "policy" in top and "policies" in top:
        notes.wrong(("policies",), "`policy` and `policies` in one file", "expected one of them")
    elif "policy" in top:
        entries = [(("policy",), top.value["policy"])]
    elif "policies" in top:
        entries = [(("policies", index), entry) for index, entry in enumerate(top.entries("policies"))]
        if top.value["policies"] in ([], None):
            notes.wrong(("policies",), "policies: an empty list", "expected at least one policy")
    else:
        notes.wrong((), "neither `policy` nor `policies`", "expected one of them")
    good = [keys for place, entry in entries if (keys := Keys(notes, place, entry, POLICY_KEYS)).good]
    bases = [base_of(keys, resolve, chain) if "extends" in keys else None for keys in good]
    roles = joined_roles(roles, [base for base in bases if base is not None], top)
    found: list[Policy] = []
    for keys, base in zip(good, bases, strict=True):
        policy = _policy(keys, roles, base)
        if any(p.id == policy.id for p in found):
            hint = "" if "id" in keys else "give each an `id`"
            notes.wrong(keys.at("id") if "id" in keys else keys.place, f"two policies with the id {policy.id!r}", "", hint)
        found.append(policy)
    return roles, tuple(found)


def _policy(keys: Keys, roles: Roles | None, base: PolicyFile | None) -> Policy:
    tool = _tool(keys)
    name = keys.text("id") if "id" in keys else None
    reader = RuleReader(keys.notes, name or tool, roles)
    rules = reader.read(keys)
    if base is not None:
        _of_base(base.policies[0], reader, keys)
    if not keys.value.get("rules") and not {"default", "scopes", "tier", "attributes", "extends"} & set(keys.value):
        keys.notes.wrong(keys.place, "a policy without rules", "expected at least one rule")
    default, default_need = reader.fallback(keys, "default", allow=True)
    on_unknown: ApprovalNeed | None = reader.fallback(keys, "on_unknown")[1]
    mode: Any = keys.word("mode", get_args(Mode)) or "enforce"
    policy = Policy(
        id=name or tool,
        file=keys.notes.document.file,
        line=keys.notes.line(keys.place),
        source=Source(keys.notes.document, keys.place),
        tool=tool,
        tier=keys.whole("tier", 0, 4),
        mode=mode,
        default=default,
        default_need=default_need,
        on_unknown=on_unknown,
        override_tier=keys.text("override_tier"),
        scopes=keys.texts("scopes") or (),
        attributes=_attributes(keys),
        rules=tuple(rules.rules),
        logs=tuple(rules.logs),
        windows=tuple(rules.windows),
        limits=tuple(rules.limits),
        tests=_tests(keys, rules),
    )
    if base is not None:
        policy = joined(policy, base, keys)
    count = len(policy.placed)
    if count > MAX_RULES:
        keys.wrong("rules", f"{count} rules", f"at most {MAX_RULES} in one policy", "split it")
    read_by = {a.path for _, condition in policy.conditions for a in condition.attributes}
    if len(read_by) > MAX_ATTRIBUTES:
        keys.wrong(
            "rules", f"the conditions look at {len(read_by)} attributes", f"at most {MAX_ATTRIBUTES} in one policy", "split it"
        )
    return policy


def _of_base(base: Policy, reader: RuleReader, keys: Keys) -> None:
    """Tests may name inherited rules; whom they ask must have people in this file, too."""
    for rule in base.placed:
        reader.out.names.setdefault(inherited_name(rule, base), keys.notes.line(keys.at("extends")))
    asked = [*(rule.need for rule in base.rules), *(limit.need for limit in base.limits)]
    for need in (*asked, base.default_need, base.on_unknown):
        if need is not None:
            reader.known_role(keys, "extends", need.role, need.count)


def _tool(keys: Keys) -> str:
    tool = keys.text("tool")
    if "tool" not in keys:
        keys.notes.wrong(keys.place, "the key 'tool' is missing", "", "name the tool that the policy is for, or a pattern with *")
    elif tool is not None and not _TOOL.fullmatch(tool):
        odd = next((c for c in tool if not _TOOL.fullmatch(c)), "")
        what = f"the character U+{ord(odd):04X} in it" if odd else "it is too long"
        keys.wrong("tool", f"{shown(tool)} names no tool: {what}", "expected a name such as payments.refund, or a pattern with *")
    elif tool is not None and tool.count("*") > _STARS:
        keys.wrong("tool", f"{tool.count('*')} stars in one pattern", f"at most {_STARS}")
    return tool or "*"


def _attributes(keys: Keys) -> tuple[Declared, ...]:
    found = []
    for name, entry in (keys.mapping("attributes") or {}).items():
        place = keys.at("attributes", name)
        named = attribute(keys.notes, place, name)
        inner = Keys(keys.notes, place, entry, ATTRIBUTE_KEYS)
        kind: Any = inner.word("type", get_args(TypeWord))
        enum = inner.entries("enum") if "enum" in inner else None
        for index, item in enumerate(enum or ()):
            if isinstance(item, (dict, list)):
                keys.notes.wrong(
                    inner.at("enum", index), f"enum[{index}]: must be a single value, found {shown(item)}", value=True
                )
        low, high = inner.amount("minimum"), inner.amount("maximum")
        if low is not None and high is not None and low > high:
            inner.wrong("minimum", f"{low} is above the maximum {high}")
        if named is not None:
            found.append(
                Declared(
                    path=named.path,
                    where=f"{keys.notes.document.file}:{keys.notes.line(place)}",
                    type=kind,
                    enum=None if enum is None else tuple(enum),
                    prepared_enum=tuple(prepare(item) for item in enum or ()),
                    minimum=low,
                    maximum=high,
                    required=inner.flag("required") or False,
                )
            )
    return tuple(found)


def _tests(keys: Keys, rules: Rules) -> tuple[PolicyTest, ...]:
    tests: list[PolicyTest] = []
    for index, entry in enumerate(keys.entries("tests")):
        inner = Keys(keys.notes, keys.at("tests", index), entry, TEST_KEYS, f"tests[{index}]")
        if not inner.good:
            continue
        test = _test(inner, rules)
        if any(test.name == other.name for other in tests):
            inner.wrong("name", f"two tests with the name {shown(test.name)}")
        tests.append(test)
    return tuple(tests)


def _test(keys: Keys, rules: Rules) -> PolicyTest:
    for key in ("name", "expect"):
        if key not in keys:
            keys.notes.wrong(keys.place, f"tests: the key {key!r} is missing")
    expect: Any = keys.word("expect", VERDICT_ORDER) or "deny"
    reason: Any = keys.word("reason", get_args(Reason)) if "reason" in keys else None
    rule = keys.value.get("rule")
    if rule is not None and str(rule) not in rules.names:
        near = did_you_mean(str(rule), rules.names)
        allowed = f"expected one of {', '.join(rules.names)}" if rules.names else "the policy has no rules"
        keys.wrong("rule", f"there is no rule {shown(rule)}", allowed, near)
    clock = keys.text("clock") if "clock" in keys else None
    if clock is not None and _time(clock) is None:
        keys.wrong("clock", f"{shown(clock)} is no time with a zone", "expected one such as 2026-11-22T09:00:00Z")
    spent = Keys(keys.notes, keys.at("spent"), keys.value.get("spent") or {}, tuple(rules.names))
    amounts = {name: spent.amount(name) for name in spent.value if name in rules.names}
    return PolicyTest(
        name=keys.text("name") or "",
        file=keys.notes.document.file,
        line=keys.notes.line(keys.place),
        tool=keys.text("tool") if "tool" in keys else None,
        args=keys.mapping("args") or {},
        context=keys.mapping("context") or {},
        principal=_principal(keys),
        clock=clock,
        spent={name: decimal(amount) for name, amount in amounts.items() if amount is not None},
        expect=_verdict(expect),
        reason=reason,
        rule=None if rule is None else str(rule),
        roles=keys.texts("roles"),
        redact_fields=keys.texts("redact_fields"),
        retain_days=keys.whole("retain_days", 1, 36_500),
    )


def _verdict(word: str) -> Verdict:
    return next(verdict for verdict in VERDICT_ORDER if verdict == word)


def _principal(keys: Keys) -> Principal:
    inner = Keys(keys.notes, keys.at("principal"), keys.value.get("principal") or {}, PRINCIPAL_KEYS)
    return Principal(
        id=inner.text("id") if "id" in inner else None,
        on_behalf_of=inner.text("on_behalf_of") if "on_behalf_of" in inner else None,
        roles=inner.texts("roles") or (),
        scopes=inner.texts("scopes") or (),
    )


def _time(text: str) -> dt.datetime | None:
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
