"""What is a secret by its looks, or by the name of the environment variable that holds it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Pattern:
    """A kind of secret that is known by its looks. The group ``secret``, if there is one, is the secret part."""

    kind: str
    regex: re.Pattern[str]
    hints: tuple[str, ...]
    """One of these stands in every text that matches: a cheap test before the costly one."""

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where the secrets are."""
        if any(hint in text for hint in self.hints):
            group = "secret" if "secret" in self.regex.groupindex else 0
            for found in self.regex.finditer(text):
                yield found.span(group)


def _pattern(kind: str, regex: str, *hints: str) -> Pattern:
    return Pattern(kind, re.compile(regex, re.ASCII), hints)


PATTERNS: tuple[Pattern, ...] = (
    _pattern(
        "private_key",
        r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----(?:[\s\S]*?-----END (?:[A-Z0-9]+ )*PRIVATE KEY-----|[\s\S]*)",
        "PRIVATE KEY-----",
    ),
    _pattern("jwt", r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*", "eyJ"),
    _pattern("api_key", r"\bsk-(?:(?=[\w-]*\d)[\w-]{12,}|(?:[a-z]+-)?[A-Za-z]{20,})", "sk-"),
    _pattern("api_key", r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{10,}", "k_live_", "k_test_"),
    _pattern("api_key", r"\bAIza[\w-]{35}", "AIza"),
    _pattern("github_token", r"\bgh[pousr]_[A-Za-z0-9]{16,}", "ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
    _pattern("github_token", r"\bgithub_pat_\w{20,}", "github_pat_"),
    _pattern("aws_key", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b", "AKIA", "ASIA"),
    _pattern("slack_token", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}", "xox"),
    _pattern(
        "bearer_token",
        r"\b(?:Bearer|bearer|BEARER)\s+(?P<secret>(?=[\w.~+/-]*\d)[\w.~+/-]{12,}=*)",
        "Bearer",
        "bearer",
        "BEARER",
    ),
)

MIN_LENGTH = 8
"""Shorter values of environment variables are not looked for: they would be found by chance."""
WORDS_LENGTH = 16
"""From here on even plain words are a secret: a phrase of this length stands in no text by chance."""
NUMBER_LENGTH = 12
"""The same for digits: shorter ones are dates, ports, amounts and numbers of orders."""


def from_environment(env: Mapping[str, str]) -> dict[str, str]:
    """Secret value -> name of its variable, the longest first; of equal values the first name by alphabet."""
    found: dict[str, str] = {}
    for name in sorted(filter(_secret_name, env)):
        value = env[name].strip()
        if looks_secret(value):
            found.setdefault(value, name)
    return dict(sorted(found.items(), key=lambda pair: (-len(pair[0]), pair[0])))


@lru_cache(maxsize=256)
def looks_secret(value: str) -> bool:
    """Whether a value is worth looking for: what ordinary text may hold by chance would only garble it.

    That is a short text, a word or a few, a number, a path, an address without a user.
    """
    if len(value) < MIN_LENGTH or len(set(value)) < 4:
        return False
    if _ADDRESS.fullmatch(value) or _PATH.fullmatch(value):
        return any(map(_is_random, re.split(r"[/\\?&=]", value)))
    if not _PLAIN.fullmatch(value):
        return True
    if not re.search("[A-Za-z]", value):
        return sum(map(str.isdigit, value)) >= NUMBER_LENGTH
    return len(value) >= WORDS_LENGTH or not all(map(_WORD.fullmatch, re.split(r"[ ._:/,-]+", value)))


_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s@]*")
_PATH = re.compile(r"(?:~|\.{1,2})?/[\w.@/ -]*|[A-Za-z]:[\\/][\w.@\\/ -]*", re.ASCII)
_PLAIN = re.compile(r"[A-Za-z0-9 ._:/,-]+")
_WORD = re.compile(r"[A-Z]?[a-z]*|[A-Z]+|\d+|[A-Za-z0-9]{1,3}")


def _is_random(part: str) -> bool:
    """A token inside of a path or an address, such as the last part of a web hook's."""
    kinds = sum(re.search(kind, part) is not None for kind in ("[a-z]", "[A-Z]", "[0-9]"))
    return len(part) >= WORDS_LENGTH and (kinds == 3 or (kinds == 2 and len(part) >= 2 * WORDS_LENGTH))


@lru_cache(maxsize=1024)
def _secret_name(name: str) -> bool:
    name = name.upper()
    return name.endswith(("_KEY", "_TOKEN", "_SECRET")) or "PASSWORD" in name


def spellings(value: str) -> Iterable[str]:
    """The ways in which a file of ours may write a value: as it is, escaped, with doubled quotes, a line of it."""
    yield value
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield value.replace("'", "''")
    lines = value.splitlines()
    if len(lines) > 1:
        yield max((line.strip() for line in lines), key=len)
