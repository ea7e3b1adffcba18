"""A suite from the cache is the suite of the file, or the file is read: never anything else."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from pytest_agentops.errors import CaseFileError
from pytest_agentops.loading import suite as suite_module
from pytest_agentops.loading.kept import from_json, to_json
from pytest_agentops.loading.suite import LoadedSuite, load_suite
from pytest_agentops.schema.parsed import ParsedCache
from pytest_agentops.schema.values import Json, dumps, loads

SUITE = """\
version: 1
suite: refunds
description: Refunds.
agent: {transcript: {}}
tools: [./tools.py:make, db]
contracts:
  crm.search: {effect: read, tier: 0, cost_usd: 0.12345678901234567890, answers: [{result: null}]}
defaults:
  tags: [shop]
  expect: {steps: {max: 3}}
  context: {a: null}
cases:
  - id: one
    description: A case.
    tags: [critical]
    fixtures: [db]
    task: hello
    trials: 3
    setup: {a: 1.50, b: null, c: é}
    expect: {output: {equals: null}, python: [./c.py:f]}
  - {id: two, turns: [a, {user: b, expect: {said: {contains: x}}}], skip: later}
  - {id: three, xfail: why, task: t, agent: my_agent, tools: db, matrix: {model: [m, {id: x, value: n}], expect.steps: [1]}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "cases" / "refunds.yaml"
    path.parent.mkdir()
    path.write_text(SUITE, encoding="utf-8")
    return path


@pytest.fixture
def cache(tmp_path: Path) -> ParsedCache:
    folder = tmp_path / "cache"
    folder.mkdir()
    return ParsedCache(folder)


def never_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: object, **__: object) -> None:
        raise AssertionError("the YAML was read")

    monkeypatch.setattr(suite_module, "read", read)


def whole(suite: LoadedSuite) -> list[Any]:
    """All that anybody can ask of a suite."""
    return [
        (suite.name, suite.file, suite.path, suite.description, suite.digest),
        *((v, v.name, v.key, v.case(), v.place("agent"), v.place("tools", "db"), v.place("python")) for v in suite.variants),
    ]


def test_a_kept_suite_is_the_suite(file: Path, cache: ParsedCache, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = load_suite(file, file.parent.parent)
    assert whole(load_suite(file, file.parent.parent, cache=cache)) == whole(plain)
    never_read(monkeypatch)
    kept = load_suite(file, file.parent.parent, cache=cache)
    assert whole(kept) == whole(plain)
    assert repr(kept.variants) == repr(plain.variants), "tuples are tuples again"
    assert hash(kept.variants[0].tags)
    assert kept.variants[0].head is kept.variants[-1].head


def test_every_field_of_a_variant_and_its_head_is_kept(file: Path) -> None:
    suite = load_suite(file, file.parent)
    kept = to_json(suite)
    assert kept is not None
    assert set(kept["variants"][0]) == {f.name for f in dataclasses.fields(suite.variants[0])} - {"head"}
    derived = {"file", "base_dir", "checks", "prompts"}
    assert {f.name for f in dataclasses.fields(suite.variants[0].head)} - derived == {*loads(kept["head"]), "name"}


def test_files_that_say_the_same_at_their_head_share_it(file: Path, cache: ParsedCache) -> None:
    other = file.parent / "other.yaml"
    other.write_text(SUITE.replace("suite: refunds", "suite: other").replace("hello", "good bye"), encoding="utf-8")
    first, second = ([load_suite(path, file.parent, cache=cache) for _ in range(2)][1] for path in (file, other))
    assert first.variants[0].head.defaults is second.variants[0].head.defaults
    assert (first.variants[0].head.name, first.variants[0].case().fields.task) != (
        second.variants[0].head.name,
        second.variants[0].case().fields.task,
    )


def test_another_text_is_read(file: Path, cache: ParsedCache) -> None:
    load_suite(file, file.parent, cache=cache)
    file.write_text(SUITE.replace("hello", "good bye"), encoding="utf-8")
    assert load_suite(file, file.parent, cache=cache).variants[0].case().fields.task == "good bye"
    file.write_text(SUITE.replace("task: hello", "tsk: hello"), encoding="utf-8")
    with pytest.raises(CaseFileError, match="unknown key 'tsk'"):
        load_suite(file, file.parent, cache=cache)


def test_a_file_that_is_wrong_is_wrong_every_time(file: Path, cache: ParsedCache, tmp_path: Path) -> None:
    file.write_text("version: 1\ncases: [{id: a, tsk: t}]\n")
    for _ in range(2):
        with pytest.raises(CaseFileError, match="unknown key 'tsk'"):
            load_suite(file, file.parent, cache=cache)
    assert list((tmp_path / "cache").iterdir()) == []


def test_the_same_text_in_another_place_is_another_suite(file: Path, cache: ParsedCache) -> None:
    load_suite(file, file.parent.parent, cache=cache)
    other = file.parent.parent / "more" / "refunds.yaml"
    other.parent.mkdir()
    other.write_text(SUITE, encoding="utf-8")
    suite = load_suite(other, file.parent.parent, cache=cache)
    assert (suite.file, suite.path) == ("more/refunds.yaml", other)
    assert suite.variants[0].case().base_dir == str(other.parent)
    seen_from_there = load_suite(file, file.parent, cache=cache)
    assert (seen_from_there.file, seen_from_there.variants[0].case().file) == ("refunds.yaml", "refunds.yaml")


def test_a_suite_with_a_prompt_file_is_read_every_time(file: Path, cache: ParsedCache) -> None:
    (file.parent / "p.md").write_text("Be kind.")
    file.write_text("version: 1\ncases: [{id: a, task: t, prompt: ./p.md}]\n")
    load_suite(file, file.parent, cache=cache)
    (file.parent / "p.md").write_text("Be brief.")
    assert load_suite(file, file.parent, cache=cache).variants[0].case().fields.prompt == "Be brief."
    (file.parent / "p.md").unlink()
    with pytest.raises(CaseFileError, match=r"there is no file \./p\.md"):
        load_suite(file, file.parent, cache=cache)


def test_a_suite_with_checks_from_outside_is_read_every_time(file: Path, cache: ParsedCache) -> None:
    file.write_text("version: 1\ncases: [{id: a, task: t, expect: {tone: kind}}]\n")
    assert load_suite(file, file.parent, checks=["tone"], cache=cache).variants[0].case().more_checks == {"tone": "kind"}
    with pytest.raises(CaseFileError, match="unknown key 'tone'"):
        load_suite(file, file.parent, cache=cache)
    file.write_text("version: 1\ncases: [{id: a, task: t}]\n")
    load_suite(file, file.parent, cache=cache)
    assert load_suite(file, file.parent, checks=["tone"], cache=cache).variants[0].head.checks == {"tone"}


class Foreign(ParsedCache):
    """A cache that gives what it is told to."""

    def __init__(self, value: Json) -> None:
        super().__init__(None)
        self.value = value

    def get(self, kind: str, *texts: str) -> Json:
        return self.value


def spoiled(kept: dict[str, Any]) -> list[Json]:
    """What else might come out of a cache."""
    out: list[Json] = [1, "text", [], {}, [kept], {"value": kept}, {"digest": kept["digest"]}]
    out += [{k: v for k, v in kept.items() if k != left_out} for left_out in kept]
    out += [
        {**kept, "variants": [{k: v for k, v in kept["variants"][0].items() if k != left_out}]}
        for left_out in kept["variants"][0]
    ]
    out += [{**kept, "variants": [{**kept["variants"][0], "more": 1}]}, {**kept, "variants": [1]}, {**kept, "variants": []}]
    head = loads(kept["head"])
    out += [{**kept, "head": dumps({k: v for k, v in head.items() if k != left_out})} for left_out in head]
    out += [{**kept, "head": text} for text in ("", "[]", "1", dumps({**head, "more": 1}))]
    out.append({**kept, "digest": "0" * 64, "name": "stale"})
    return out


def test_what_is_no_suite_of_this_text_is_not_believed(file: Path) -> None:
    plain = load_suite(file, file.parent)
    kept = to_json(plain)
    assert kept is not None
    assert whole(load_suite(file, file.parent, cache=Foreign(loads(dumps(kept))))) == whole(plain)
    for value in spoiled(kept):
        fresh = loads(dumps(value))
        assert from_json(fresh, file, "refunds.yaml", plain.digest) is None, str(value)[:200]
        assert whole(load_suite(file, file.parent, cache=Foreign(loads(dumps(value))))) == whole(plain)


def test_damage_on_the_disk_is_not_believed(file: Path, cache: ParsedCache, tmp_path: Path) -> None:
    plain = load_suite(file, file.parent, cache=cache)
    (entry,) = (tmp_path / "cache").iterdir()
    good = entry.read_bytes()
    half = json.dumps({"name": "other"}).encode()
    for data in (b"", good[:-1], good[: len(good) // 2], good.replace(b"hello", b"hallo"), good[:64] + half, b"\0" * len(good)):
        assert data != good
        entry.write_bytes(data)
        assert whole(load_suite(file, file.parent, cache=cache)) == whole(plain)
        assert entry.read_bytes() == good, "and it is put right"
