"""Reading whole files without file objects."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_agentops.schema import raw_file
from pytest_agentops.schema.raw_file import read_bytes


@pytest.mark.parametrize("size", [0, 1, 6, 7, 8, 14, 15, 100])
def test_all_of_a_file_is_read_whatever_its_size(size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_file, "_CHUNK", 7)
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
