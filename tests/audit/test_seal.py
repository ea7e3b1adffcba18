"""Several workers, one anchor; and the command that checks it."""

from __future__ import annotations

import argparse
import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_agentops.audit.log import AuditLog, Checkpoint
from pytest_agentops.audit.record import AuditUnreadable, canon
from pytest_agentops.audit.seal import HEADS, seal, verify_session
from pytest_agentops.cli import audit as command

from .logs import lines, one_call, rewritten, write


def session(folder: Path, workers: int = 3) -> str:
    """The logs of a session, sealed; its anchor."""
    heads = []
    for i in range(workers):
        path, head = write(folder, calls=3, segment=f"gw{i}")
        heads.append(Checkpoint(segment=f"gw{i}", size=len(lines(path)), head=head))
    anchor = seal(folder, heads)
    assert anchor is not None
    return anchor


def codes(folder: Path, anchor: str | None) -> list[str]:
    return [f.code for f in verify_session(folder, anchor).findings]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_a_sound_session(tmp_path: Path, workers: int) -> None:
    anchor = session(tmp_path, workers)
    found = verify_session(tmp_path, anchor)
    assert (found.logs, found.records, found.findings) == (workers, 12 * workers, [])
    assert codes(tmp_path, None) == ["W_UNANCHORED"]


def test_one_log_is_anchored_by_its_own_head(tmp_path: Path) -> None:
    anchor = session(tmp_path, 1)
    assert json.loads(lines(tmp_path / "gw0.jsonl")[-1])["hash"] == anchor
    (tmp_path / HEADS).unlink()
    assert codes(tmp_path, anchor) == []


def test_the_order_of_the_workers_does_not_count(tmp_path: Path) -> None:
    anchor = session(tmp_path)
    assert seal(tmp_path) == anchor
    heads = [Checkpoint.from_json(h) for h in json.loads((tmp_path / HEADS).read_text())["heads"]]
    assert seal(tmp_path, reversed(heads)) == anchor


def test_nothing_to_seal(tmp_path: Path) -> None:
    assert seal(tmp_path) is None
    assert seal(tmp_path, []) is None


def a_log_cut_off(folder: Path) -> None:
    path = folder / "gw1.jsonl"
    path.write_bytes(b"".join(lines(path)[:-2]))


def a_log_rewritten(folder: Path) -> None:
    rewritten(folder / "gw1.jsonl", lambda rs: [{**r, "tool": "orders.get"} if "tool" in r else r for r in rs])


def a_log_removed(folder: Path) -> None:
    (folder / "gw1.jsonl").unlink()


def a_log_added(folder: Path) -> None:
    write(folder, segment="gw9")


def a_log_copied_over_another(folder: Path) -> None:
    (folder / "gw1.jsonl").write_bytes((folder / "gw0.jsonl").read_bytes())


def all_but_one_removed(folder: Path) -> None:
    for name in ("gw1.jsonl", "gw2.jsonl", HEADS):
        (folder / name).unlink()


def rewritten_with_its_heads(folder: Path) -> None:
    a_log_rewritten(folder)
    (folder / HEADS).unlink()
    seal(folder)


def heads_removed(folder: Path) -> None:
    (folder / HEADS).unlink()


def heads_broken(folder: Path) -> None:
    (folder / HEADS).write_text("{")


def one_head_left(folder: Path) -> None:
    heads = json.loads((folder / HEADS).read_text())["heads"]
    (folder / HEADS).write_bytes(canon({"v": 1, "heads": heads[:1]}))


@pytest.mark.parametrize(
    "attack",
    [
        a_log_cut_off,
        a_log_rewritten,
        a_log_removed,
        a_log_added,
        a_log_copied_over_another,
        all_but_one_removed,
        rewritten_with_its_heads,
        heads_removed,
        heads_broken,
        one_head_left,
    ],
)
def test_what_is_done_to_a_session_is_found(tmp_path: Path, attack: Callable[[Path], None]) -> None:
    anchor = session(tmp_path)
    attack(tmp_path)
    assert any(f.breaks and f.code == "E_ANCHOR" for f in verify_session(tmp_path, anchor).findings)


def test_a_log_cut_off_is_found_by_the_heads_beside_it_too(tmp_path: Path) -> None:
    session(tmp_path)
    a_log_cut_off(tmp_path)
    assert "E_ANCHOR" in codes(tmp_path, None)


def test_no_logs(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(AuditUnreadable):
            verify_session(path)


# ---- the command


def run(*args: str) -> int:
    parser = argparse.ArgumentParser()
    command.arguments(parser)
    return command.run(parser.parse_args(list(args)))


def test_verify_says_sound(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    anchor = session(tmp_path)
    assert run("verify", str(tmp_path), "--anchor", anchor.upper()) == 0
    assert capsys.readouterr().out == "sound: 36 records in 3 logs, as the anchor says\n"
    assert run("verify", str(tmp_path)) == 0
    out = capsys.readouterr().out
    assert "W_UNANCHORED" in out
    assert out.endswith("sound: 36 records in 3 logs, unanchored\n")


def test_verify_says_broken_and_where_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    anchor = session(tmp_path, 1)
    path = tmp_path / "gw0.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"seq":4,', b'"seq":5,'))
    assert run("verify", str(path), "--anchor", anchor) == 1
    out = capsys.readouterr().out
    assert f"{path}:5: E_SEQ" in out
    assert f"broken: 12 records in 1 log, first at {path}:5\n" in out


def test_verify_says_what_it_cannot_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("verify", str(tmp_path / "absent.jsonl")) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_verify_looks_where_sessions_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("verify") == 2
    anchor = session(tmp_path / ".agentops" / "audit")
    assert run("verify", "--anchor", anchor) == 0


def test_erase(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = AuditLog(tmp_path, run_id="r", clock=lambda: dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    one_call(log, "c1")
    log.keep({"n": 1})
    log.close()
    entry = one_call_with_a_term(tmp_path)
    anchor = seal(tmp_path)
    assert run("erase", str(tmp_path), "--before", "2026-01-11") == 0
    assert capsys.readouterr().out == "0 payloads erased that were to be kept until before 2026-01-11\n"
    assert run("erase", str(tmp_path)) == 0
    assert capsys.readouterr().out.startswith("1 payloads erased")
    assert not any(f.breaks for f in verify_session(entry, anchor).findings)


def one_call_with_a_term(folder: Path) -> Path:
    from pytest_agentops.audit.entry import CallEntry

    log = AuditLog(folder, "gw1", run_id="r", clock=lambda: dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    entry = CallEntry(log, "c9", tool="t", tier=2, about={"case": "s/c", "trial": 1})
    entry.decided("deny", reason="rule", action_digest="sha256:0", args={"n": 1}, retain_days=10)
    entry.ended("stopped")
    log.close()
    return folder
