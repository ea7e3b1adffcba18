"""Files that are read whole, written whole or not at all, or shared."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_agentops.schema import disk
from pytest_agentops.schema.disk import SharedLines, append_line, read_bytes, replacing


@pytest.mark.parametrize("size", [0, 1, 6, 7, 8, 14, 15, 100])
def test_all_of_a_file_is_read_whatever_its_size(size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "_CHUNK", 7)
    data = bytes(range(size))
    path = tmp_path / "file"
    path.write_bytes(data)
    assert read_bytes(path) == read_bytes(str(path)) == data


def test_line_ends_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"a\r\nb\x1ac\n")
    assert read_bytes(tmp_path / "file") == b"a\r\nb\x1ac\n"


def test_what_cannot_be_read_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_bytes(tmp_path / "absent")
    with pytest.raises(OSError):
        read_bytes(tmp_path)


def test_a_file_is_replaced_whole_or_stays(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.txt"
    with replacing(path) as temp:
        temp.write_text("first")
    block = replacing(path)
    block.__enter__().write_text("half")
    assert block.__exit__(ValueError, ValueError(), None) is False
    assert path.read_text() == "first"
    assert list(path.parent.iterdir()) == [path]


def test_shared_lines_are_followed_and_half_a_line_is_none(tmp_path: Path) -> None:
    one, other = SharedLines(tmp_path / "new" / "lines"), SharedLines(tmp_path / "new" / "lines")
    assert one.fresh() == []
    one.add("a")
    other.add("é b")
    assert (one.fresh(), one.fresh()) == (["a", "é b"], [])
    with one.path.open("ab") as file:
        file.write(b"ha")
    assert (one.fresh(), other.fresh()) == ([], ["a", "é b"])
    append_line(one.path, "lf")
    assert one.fresh() == ["half"]
    one.clear()
    one.clear()
    assert not one.path.exists()
