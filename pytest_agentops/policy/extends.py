"""``extends:`` of a policy: a template that comes with this package, or a file beside it. A base is added to, never overridden.

The base's rules come first, so that what it denies, asks or allows stays so; the policy's own rules act where the base says
nothing, its denies everywhere.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeAlias

from ..errors import CaseFileError
from ..schema.suggest import did_you_mean
from .match import fits
from .model import Placed, Policy, PolicyFile, Source, roles_of
from .shape import Keys

Resolve: TypeAlias = Callable[[str, str], tuple[str, str]]
"""From a reference and the file in which it stands to a file's name and text; raises ValueError with a sentence."""
Roles: TypeAlias = Mapping[str, tuple[str, ...]]
Chain: TypeAlias = tuple[tuple[str, str], ...]
"""The files on the way, each with the place of its `extends`."""
FOLDER = "pytest_agentops/policy/templates"
ONCE = ("tier", "mode", "default", "on_unknown", "override_tier")
"""Keys that a policy may set only where its base does not, or alike."""
KINDS = ("rules", "logs", "windows", "limits")
DEEPEST = 5


def templates() -> tuple[str, ...]:
    """The names of the templates in this package."""
    return tuple(sorted(path.name.removesuffix(".yaml") for path in _folder().iterdir() if path.name.endswith(".yaml")))


def template(name: str) -> str:
    """A template's text."""
    text: str = (_folder() / f"{name}.yaml").read_text(encoding="utf-8")
    return text


def _folder() -> Any:
    return files(__package__ or "pytest_agentops.policy") / "templates"


def is_file(ref: str) -> bool:
    """Whether a reference names a file rather than a template."""
    return ref.startswith(("./", "../"))


def on_disk(root: Path) -> Resolve:
    """Resolves references between files below (or beside) `root`, whose names messages use."""

    def resolve(ref: str, file: str) -> tuple[str, str]:
        label = posixpath.normpath(posixpath.join(posixpath.dirname(file), ref))
        try:
            return label, (root / label.replace("/", os.sep)).read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError:
            raise ValueError(f"{label} is not UTF-8") from None
        except OSError as error:
            raise ValueError(f"{label} cannot be read: {error.strerror or error}") from None

    return resolve


def base_of(keys: Keys, resolve: Resolve | None, chain: Chain) -> PolicyFile | None:
    """The file that a policy extends; what is wrong with it is noted, and its own mistakes are taken over."""
    from .files import load_text

    ref = keys.text("extends")
    if ref is None:
        return None
    here = _place(keys)
    found = _text_of(keys, ref, resolve)
    if found is None:
        return None
    label, text = found
    chain = (*chain, (keys.notes.document.file, here))
    start = next((n for n, (file, _) in enumerate(chain) if file == label), None)
    if start is not None:
        way = " -> ".join(place for _, place in chain[start:])
        keys.wrong("extends", f"a cycle: {way} -> {label}", "", "one of them must stand alone")
        return None
    if len(chain) > DEEPEST:
        keys.wrong("extends", f"more than {DEEPEST} files one above the other", "", "extend a base that stands alone")
        return None
    try:
        base = load_text(text, file=label, resolve=resolve, chain=chain)
    except CaseFileError as error:
        keys.notes.mistakes += error.mistakes
        return None
    if len(base.policies) != 1:
        keys.wrong("extends", f"{label} has {len(base.policies)} policies", "a base has one")
        return None
    return base


def _text_of(keys: Keys, ref: str, resolve: Resolve | None) -> tuple[str, str] | None:
    if not is_file(ref):
        known = templates()
        if ref in known:
            return f"{FOLDER}/{ref}.yaml", template(ref)
        near = did_you_mean(ref, known) or "a file begins with ./"
        keys.wrong(
            "extends", f"there is no template {ref!r}", f"expected one of {', '.join(known)}, or a file such as ./base.yaml", near
        )
        return None
    if resolve is None:
        keys.wrong("extends", f"{ref}: a text without a file cannot name one beside it")
        return None
    try:
        return resolve(ref, keys.notes.document.file)
    except ValueError as error:
        keys.wrong("extends", str(error))
        return None


def _place(keys: Keys) -> str:
    line, col = keys.notes.document.position(keys.at("extends"))
    return f"{keys.notes.document.file}:{line}:{col}"


def joined(policy: Policy, base_file: PolicyFile, keys: Keys) -> Policy:
    """The base with what the policy adds; what it sets a second time is a mistake that names both places."""
    (base,) = base_file.policies
    if "tool" in keys and not (base.tool == "*" or base.tool == policy.tool or fits(base.tool, policy.tool)):
        twice(keys, "tool", base, f"the base is for {base.tool!r}, of which {policy.tool!r} is no part")
    for key in ONCE:
        mine, its = (_set(p, key) for p in (policy, base))
        if key in keys and its is not None and mine != its:
            twice(keys, key, base, f"{key} is set by the base, too")
    if policy.on_unknown is not None and base.on_unknown is None and base.ordered:
        twice(keys, "on_unknown", base, "the base denies what its rules cannot decide")
    named = {declared.path: declared for declared in base.attributes}
    for declared in policy.attributes:
        if declared.path in named:
            say = f"attributes.{declared.name} is declared by the base ({named[declared.path].where}), too"
            keys.notes.wrong(keys.at("attributes", declared.name), say, "", "a policy adds to its base and changes nothing of it")
    inherited = {name: [_renamed(rule, base, policy) for rule in getattr(base, name)] for name in KINDS}
    _same_ids(policy, [rule for rules in inherited.values() for rule in rules], keys)
    kinds: dict[str, Any] = {name: (*inherited[name], *getattr(policy, name)) for name in KINDS}
    once: dict[str, Any] = {key: getattr(policy, key) if key in keys else getattr(base, key) for key in ONCE}
    return replace(
        policy,
        **kinds,
        **once,
        default_need=policy.default_need if "default" in keys else base.default_need,
        scopes=tuple(dict.fromkeys((*base.scopes, *policy.scopes))),
        attributes=(*base.attributes, *policy.attributes),
        base=base_file.file,
        base_digest=base_file.digest,
    )


def _set(policy: Policy, key: str) -> object:
    found = getattr(policy, key)
    if key == "default":
        return found and (found, policy.default_need)
    return found


def joined_roles(roles: Roles | None, bases: Sequence[PolicyFile], top: Keys) -> Roles | None:
    """Who has which role, by the file and by the bases of its policies; a role of a base has the people of the base."""
    theirs = roles_of(bases)
    if theirs is None:
        return roles
    for name in (name for name in roles or {} if name in theirs and set((roles or {})[name]) != theirs[name]):
        base = next(base for base in bases if name in (base.roles or {}))
        document = base.policies[0].source.document
        line, col = document.position(("roles", name))
        said = f"roles.{name} is set by the base ({document.file}:{line}:{col}), too"
        top.notes.wrong(top.at("roles", name), said, "", "a policy adds to its base and changes nothing of it: take another name")
    return {**{name: tuple(sorted(people)) for name, people in theirs.items()}, **(roles or {})}


def twice(keys: Keys, key: str, base: Policy, found: str) -> None:
    """A mistake with both places."""
    document = base.source.document
    line, col = document.position((*base.source.place, key))
    keys.wrong(
        key, f"{found} ({document.file}:{line}:{col})", "", "a policy adds to its base and changes nothing of it", value=False
    )


def inherited_name(rule: Placed, base: Policy) -> str:
    """Its own id; of a rule that only has a number, with the base's name in front."""
    name = rule.id.removeprefix(f"{base.id}/")
    return f"{Path(rule.file).stem}.{name}" if name.isdigit() else name


def _renamed(rule: Placed, base: Policy, policy: Policy) -> Any:
    return replace(rule, id=f"{policy.id}/{inherited_name(rule, base)}")


def _same_ids(policy: Policy, inherited: Sequence[Placed], keys: Keys) -> None:
    known = {rule.id: rule for rule in inherited}
    for rule in policy.placed:
        other = known.get(rule.id)
        if other is not None:
            source: Source = rule.source
            found = f"rule {rule.id} is in the base ({other.where}), too"
            keys.notes.wrong(source.place, found, "", "a policy adds to its base and changes nothing of it: give it another id")
