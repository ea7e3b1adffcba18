"""Keeping a recording: whole or not at all, and not at all where it says the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_agentops.errors import CassetteError, SecretFound
from pytest_agentops.redact.membrane import Membrane
from pytest_agentops.tape import staging
from pytest_agentops.tape.cassette import dump, read
from pytest_agentops.tape.recording import Recording, ToolsCassette
from pytest_agentops.tape.store import equal_answers, folder_for

from .conftest import save, save_partial


def call(tool: str, result: object = 1, overlap: int = 0) -> Recording:
    return Recording(tool=tool, args={}, result=result, overlap=overlap)


def of(*calls: Recording) -> ToolsCassette:
    return ToolsCassette(case="s/c", calls=list(calls))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cassettes" / "s" / "c" / "tools.yaml"


# ---- where


@pytest.mark.parametrize(
    ("name", "trial", "wanted"),
    [
        ("small_refund", 1, "refunds/small_refund"),
        ("small_refund", 2, "refunds/small_refund.t2"),
        ("small_refund~gpt-4o", 3, "refunds/small_refund~gpt-4o.t3"),
    ],
)
def test_one_folder_a_trial(name: str, trial: int, wanted: str) -> None:
    assert folder_for(Path("cassettes"), "refunds", name, trial) == Path("cassettes", *wanted.split("/"))


@pytest.mark.parametrize("name", ["../../etc", "a/b", "..", "", "Case", "x.t2", "a" * 300, "nul\0", "é"])
def test_an_unsafe_name_stays_inside_and_is_told_apart(name: str) -> None:
    found = folder_for(Path("root"), "s", name)
    assert found.parent == Path("root", "s")
    assert found.name.isascii()
    assert len(found.name) <= 161
    assert "." not in found.name
    assert found != folder_for(Path("root"), "s", f"{name}x")


# ---- bytes


def test_a_first_recording_makes_its_folder(path: Path, cassette: ToolsCassette) -> None:
    assert save(path, cassette)
    assert path.read_text(encoding="utf-8") == dump(cassette)
    assert [p.name for p in path.parent.iterdir()] == ["tools.yaml"]


def test_equal_answers_leave_the_bytes_alone(path: Path, cassette: ToolsCassette) -> None:
    save(path, cassette)
    before = path.stat().st_mtime_ns, path.read_bytes()
    again = replace(cassette, recorded_at="2030-01-01", clock="2030-01-01T00:00:00Z", with_="pytest-agentops 9", seed=5)
    assert not save(path, again)
    assert (path.stat().st_mtime_ns, path.read_bytes()) == before


def test_equal_answers_leave_a_file_of_another_hand_alone(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_text("# by hand\nformat: 1\ncase: s/c\ncalls: [{tool: a, result: 1}]\n", encoding="utf-8")
    assert not save(path, of(call("a", 1.0)))
    assert path.read_text(encoding="utf-8").startswith("# by hand")


def test_a_changed_pin_is_written_and_the_run_facts_stay(path: Path, cassette: ToolsCassette) -> None:
    save(path, cassette)
    pins = replace(cassette.pins, prompt="sha256:000000000000")
    assert save(path, replace(cassette, recorded_at="2030-01-01", clock="2030-01-01T00:00:00Z", pins=pins))
    found = read(path)
    assert (found.recorded_at, found.clock, found.pins.prompt) == ("2026-11-22", "2026-11-22T09:00:00Z", "sha256:000000000000")


def test_a_changed_answer_is_written_with_new_run_facts(path: Path, cassette: ToolsCassette) -> None:
    save(path, cassette)
    assert save(path, replace(cassette, recorded_at="2030-01-01", calls=cassette.calls[:1]))
    assert read(path).recorded_at == "2030-01-01"


def test_a_damaged_file_is_replaced(path: Path, cassette: ToolsCassette) -> None:
    path.parent.mkdir(parents=True)
    path.write_text("---\nformat: 1\ncalls", encoding="utf-8")
    assert save(path, cassette)
    assert read(path).as_json() == cassette.as_json()


A, B, C = call("a"), call("b"), call("c")
B1, C1, A1 = call("b", overlap=1), call("c", overlap=1), call("a", overlap=1)


@pytest.mark.parametrize(
    ("old", "new", "equal"),
    [
        (of(A, B), of(A, B), True),
        (of(A, B), of(B, A), False),
        (of(A, B1), of(B, A1), True),
        (of(A, B1), of(B, A), True),
        (of(A, B), of(B, A1), True),
        (of(A, B1), of(A, B), True),
        (of(A, B1, C), of(B, A, C), True),
        (of(A, B1, C), of(C, B, A), False),
        (of(A, B1, C), of(A, C, B), False),
        (of(A, B1, call("c", overlap=2)), of(C, B, A), True),
        (of(A, B1), of(A, call("b", 2, overlap=1)), False),
        (of(A, A1), of(A, B1), False),
        (of(A), of(A, A), False),
        (of(A), replace(of(A), has_state=True), False),
        (of(), of(), True),
    ],
)
def test_the_order_of_overlapping_calls_does_not_count(old: ToolsCassette, new: ToolsCassette, equal: bool) -> None:
    assert equal_answers(old, new) is equal
    assert equal_answers(new, old) is equal


def test_a_record_of_the_same_in_another_order_keeps_the_file(path: Path) -> None:
    save(path, of(A, B1, C))
    assert not save(path, of(B, A, C))
    assert [c.tool for c in read(path).calls] == ["a", "b", "c"]


# ---- what goes wrong


def test_a_folder_that_cannot_be_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(path, of(A))
    real = Path.open

    def refuse(self: Path, mode: str = "r", *args: object, **more: object) -> object:
        if "w" in mode:
            raise PermissionError(13, "Permission denied")
        return real(self, mode, *args, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(CassetteError) as caught:
        save(path, of(B))
    assert "tools.yaml: cannot be written: Permission denied\n  cure: make the folder writable" in str(caught.value)
    monkeypatch.undo()
    assert read(path).calls[0].tool == "a"


def test_a_file_in_the_folder_s_place(path: Path) -> None:
    path.parent.parent.mkdir(parents=True)
    path.parent.write_text("", encoding="utf-8")
    with pytest.raises(CassetteError, match="cannot be written"):
        save(path, of(A))


def test_a_replace_that_fails_leaves_the_old_file_and_no_other(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(path, of(A))

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(staging.os, "replace", fail)
    with pytest.raises(CassetteError, match="No space left"):
        save(path, of(B))
    assert read(path).calls[0].tool == "a"
    assert [p.name for p in path.parent.iterdir()] == ["tools.yaml"]


def test_a_secret_removes_the_temporary_file_and_keeps_the_old(path: Path) -> None:
    membrane = Membrane({"SHOP_API_KEY": "hunter2-hunter2"})
    save(path, of(A), membrane.scan)
    leak = call("b", {"note": "key sk-abc123def456ghi789 and hunter2-hunter2"})
    for keep in (save, save_partial):
        with pytest.raises(SecretFound) as caught:
            keep(path, of(leak), membrane.scan)
        assert caught.value.kinds == ["api_key", "secret:SHOP_API_KEY"]
        assert "hunter2" not in str(caught.value)
    assert read(path).calls[0].tool == "a"
    assert [p.name for p in path.parent.iterdir()] == ["tools.yaml"]


def test_the_partial_file_stands_beside_the_good_one_and_goes_with_the_next(path: Path) -> None:
    save(path, of(A))
    assert save_partial(path, of(B)).name == "tools.partial.yaml"
    assert read(path).calls[0].tool == "a"
    save(path, of(A))
    assert [p.name for p in path.parent.iterdir()] == ["tools.yaml"]


def test_what_a_killed_run_left_is_cleared_away(path: Path) -> None:
    path.parent.mkdir(parents=True)
    old, fresh = path.with_name(".tools.yaml.1.tmp"), path.with_name(".tools.yaml.2.tmp")
    for left in (old, fresh):
        left.write_text("x", encoding="utf-8")
    os.utime(old, (0, 0))
    save(path, of(A))
    assert sorted(p.name for p in path.parent.iterdir()) == [".tools.yaml.2.tmp", "tools.yaml"]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
@pytest.mark.parametrize("where", ["fsync", "replace"])
def test_kill_9_while_saving_leaves_the_old_file(path: Path, where: str) -> None:
    save(path, of(A))
    before = path.read_bytes()
    script = f"""
        import os, sys, time
        from pathlib import Path
        from pytest_agentops.tape import store
        from pytest_agentops.tape.recording import Recording, ToolsCassette

        def wait(*_):
            print("saving", flush=True)
            time.sleep(60)

        os.{where} = wait
        long = ToolsCassette(case="s/c", calls=[Recording(tool="b", args={{}}, result="x" * 100000)])
        store.save_recording(Path({str(path.parent)!r}), long, None)
    """
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    with child, child.stdout:
        assert child.stdout.readline() == "saving\n"
        assert list(path.parent.glob(".tools.yaml.*.tmp"))
        child.send_signal(signal.SIGKILL)
        assert child.wait(10) == -signal.SIGKILL
    assert path.read_bytes() == before
    assert save(path, of(B))


def test_a_new_file_has_the_rights_of_any_other(path: Path) -> None:
    save(path, of(A))
    other = path.with_name("other")
    other.touch()
    assert path.stat().st_mode == other.stat().st_mode
    assert abs(path.stat().st_mtime - time.time()) < 60
