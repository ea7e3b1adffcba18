"""The cache of parsed files: nothing may depend on it, and nothing that is old, damaged or foreign may come out of it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pytest_agentops.schema import parsed
from pytest_agentops.schema.parsed import ParsedCache

VALUE = {"a": [1, 2.5, Decimal("0.12345678901234567890"), None, True, "é\n"], "b": {}}


@pytest.fixture
def cache(tmp_path: Path) -> ParsedCache:
    return ParsedCache(tmp_path)


def entry(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def test_what_was_put_comes_back(cache: ParsedCache, tmp_path: Path) -> None:
    assert cache.get("suite", "file", "text") is None
    cache.put("suite", VALUE, "file", "text")
    assert cache.get("suite", "file", "text") == VALUE
    assert ParsedCache(tmp_path).get("suite", "file", "text") == VALUE, "in the next session too"


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        ("suite", ("file", "other")),
        ("suite", ("other", "text")),
        ("tools", ("file", "text")),
        ("suite", ("file",)),
        ("suite", ("text", "file")),
        ("suite", ("filetext", "")),
        ("suite", ("file\0text",)),
        ("suite", ("file", "text", "")),
    ],
)
def test_another_text_is_another_entry(cache: ParsedCache, kind: str, texts: tuple[str, ...]) -> None:
    cache.put("suite", VALUE, "file", "text")
    assert cache.get(kind, *texts) is None


def test_every_damage_is_seen(cache: ParsedCache, tmp_path: Path) -> None:
    cache.put("suite", {"a": 1}, "text")
    path = entry(tmp_path)
    whole = path.read_bytes()
    damaged = [whole[:size] for size in range(len(whole))]
    damaged += [whole[:i] + bytes([whole[i] ^ 1]) + whole[i + 1 :] for i in range(len(whole))]
    damaged += [whole + b" ", whole + whole, b"\xff" * 200, b'{"a": 1}']
    for data in damaged:
        path.write_bytes(data)
        assert cache.get("suite", "text") is None, data
    path.write_bytes(whole)
    assert cache.get("suite", "text") == {"a": 1}


def test_a_damaged_entry_is_replaced(cache: ParsedCache, tmp_path: Path) -> None:
    cache.put("suite", VALUE, "text")
    entry(tmp_path).write_bytes(b"")
    cache.put("suite", VALUE, "text")
    assert cache.get("suite", "text") == VALUE


def test_an_entry_under_another_name_is_foreign(cache: ParsedCache, tmp_path: Path) -> None:
    cache.put("suite", {"old": 1}, "old text")
    old = entry(tmp_path)
    cache.put("suite", {"new": 1}, "new text")
    (new,) = set(tmp_path.iterdir()) - {old}
    shutil.copy(old, new)
    assert cache.get("suite", "new text") is None
    assert cache.get("suite", "old text") == {"old": 1}


def test_a_digest_of_the_payload_alone_is_not_enough(cache: ParsedCache, tmp_path: Path) -> None:
    cache.put("suite", VALUE, "text")
    payload = b'{"forged": true}'
    entry(tmp_path).write_bytes(hashlib.sha256(payload).hexdigest().encode() + payload)
    assert cache.get("suite", "text") is None


# -- the reader's own code is a part of the name


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the rooms whose code reads files."""
    source, root = Path(parsed.__file__).parent.parent, tmp_path / "package"
    for room in ("schema", "loading", "tape"):
        shutil.copytree(source / room, root / room, ignore=shutil.ignore_patterns("__pycache__"))
    return root


def all_files(root: Path) -> list[Path]:
    return sorted(p for p in root.rglob("*") if p.suffix in (".py", ".json"))


def test_the_stamp_is_that_of_the_code(package: Path) -> None:
    assert parsed._code_stamp(package) == parsed._code_stamp()
    assert parsed._code_stamp() is not None


def test_a_change_of_any_reading_code_changes_the_stamp(package: Path) -> None:
    before = parsed._code_stamp(package)
    files = all_files(package)
    assert {"document.py", "suite.py", "suite.schema.json", "cassette.py"} <= {p.name for p in files}
    for path in files:
        whole, times = path.read_bytes(), path.stat()
        path.write_bytes(whole.replace(b"a", b"b", 1) or b"#")  # of the same size, where there is an a
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # and of the same age: installers do so
        assert parsed._code_stamp(package) != before, path.name
        path.write_bytes(whole)
    assert parsed._code_stamp(package) == before


def test_a_file_more_or_less_or_of_another_name_changes_the_stamp(package: Path) -> None:
    before = parsed._code_stamp(package)
    module = package / "loading" / "rules.py"
    module.rename(package / "loading" / "laws.py")
    assert parsed._code_stamp(package) != before
    (package / "loading" / "laws.py").rename(module)
    (package / "tape" / "deeper").mkdir(exist_ok=True)
    (package / "tape" / "deeper" / "more.py").write_text("")
    assert parsed._code_stamp(package) != before


def test_the_age_of_the_code_does_not_count(package: Path) -> None:
    before = parsed._code_stamp(package)
    for path in all_files(package):
        os.utime(path, (0, 0))
    assert parsed._code_stamp(package) == before


def test_entries_of_other_code_are_not_found(cache: ParsedCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.put("suite", VALUE, "text")
    monkeypatch.setattr(parsed, "_code_stamp", lambda: b"another")
    later = ParsedCache(tmp_path)
    assert later.get("suite", "text") is None
    later.put("suite", {"new": 1}, "text")
    assert (later.get("suite", "text"), cache.get("suite", "text")) == ({"new": 1}, VALUE)


def test_without_its_code_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert parsed._code_stamp(tmp_path / "archive.zip") is None
    monkeypatch.setattr(parsed, "_code_stamp", lambda: None)
    cache = ParsedCache(tmp_path)
    cache.put("suite", VALUE, "text")
    assert (cache.get("suite", "text"), list(tmp_path.iterdir())) == (None, [])


# -- folders that do not help


def test_without_a_folder_nothing_is_kept() -> None:
    cache = ParsedCache(None)
    cache.put("suite", VALUE, "text")
    assert cache.get("suite", "text") is None


def test_a_folder_that_is_not_there_is_harmless(tmp_path: Path) -> None:
    cache = ParsedCache(tmp_path / "gone")
    cache.put("suite", VALUE, "text")
    assert cache.get("suite", "text") is None
    assert not (tmp_path / "gone").exists()


def test_a_folder_that_cannot_be_written_is_harmless(cache: ParsedCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.put("suite", VALUE, "kept")

    def refuse(*_: object) -> None:
        raise PermissionError("read-only")

    monkeypatch.setattr(os, "replace", refuse)
    before = sorted(tmp_path.iterdir())
    cache.put("suite", VALUE, "text")
    assert sorted(tmp_path.iterdir()) == before, "nothing half-done is left"
    assert cache.get("suite", "text") is None
    assert ParsedCache(tmp_path).get("suite", "kept") == VALUE


def test_a_folder_where_an_entry_should_be_is_harmless(cache: ParsedCache, tmp_path: Path) -> None:
    cache.put("suite", VALUE, "text")
    path = entry(tmp_path)
    path.unlink()
    path.mkdir()
    assert cache.get("suite", "text") is None
    cache.put("suite", VALUE, "text")
    assert list(tmp_path.iterdir()) == [path]


def test_the_name_of_a_file_may_be_no_text(cache: ParsedCache) -> None:
    name = os.fsdecode(b"caf\xe9.yaml")
    cache.put("suite", VALUE, name, "text")
    assert cache.get("suite", name, "text") == VALUE


def test_a_value_that_is_no_unicode_is_not_kept(cache: ParsedCache) -> None:
    cache.put("suite", {"a": "\ud800"}, "text")
    assert cache.get("suite", "text") is None
    cache.put("suite", VALUE, "other")
    assert cache.get("suite", "other") == VALUE


WRITER = """
import sys
from pathlib import Path
from pytest_agentops.schema.parsed import ParsedCache

folder = Path(sys.argv[1])
bad = 0
cache = ParsedCache(folder)
for _ in range(60):
    for key in range(4):
        value = {"key": key, "filler": "x" * 20_000}
        cache.put("suite", value, f"text {key}")
        found = cache.get("suite", f"text {key}")
        bad += found != value  # what was there once is there whole, whoever wrote it last
print(bad)
"""


def test_several_writers_at_once_do_no_harm(tmp_path: Path) -> None:
    command: list[Any] = [sys.executable, "-c", WRITER, tmp_path]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [process.communicate(timeout=60)[0] for process in running] == ["0\n"] * 3
    assert len(list(tmp_path.iterdir())) == 4, "no temporary files are left"
