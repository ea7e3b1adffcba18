"""What the writer promises: one chain, whole lines, nothing after a gap, and a new file each session."""

from __future__ import annotations

import datetime as dt
import json
import os
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from enum import IntEnum
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_agentops.audit.log import CHECKPOINT_EVERY, AuditLog, Sync, clear
from pytest_agentops.audit.record import GENESIS, AuditUnavailable, BadRecord, canon, hash_of, parse, plain, sealed
from pytest_agentops.audit.verify import records, verify

from .logs import DIGEST, one_call, write


def test_a_record_says_who_wrote_it_when_and_after_what(tmp_path: Path) -> None:
    noon = dt.datetime(2026, 11, 22, 13, 0, 0, 123_456, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    log = AuditLog(tmp_path, "gw0", run_id="r-1", fields={"mode": "replay", "previous": DIGEST}, clock=lambda: noon)
    first = records(log.path)[0]
    assert {k: v for k, v in first.items() if k != "hash"} == {
        "v": 1,
        "seq": 0,
        "ts": "2026-11-22T12:00:00.123Z",
        "run_id": "r-1",
        "segment": "gw0",
        "event": "run.start",
        "mode": "replay",
        "previous": DIGEST,
        "prev": GENESIS,
    }
    assert first["hash"] == hash_of(first)
    log.close()


def test_every_record_is_in_the_file_at_once(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, run_id="r")
    for i in range(5):
        log.append("model.call", {"n": i})
        assert records(log.path)[-1]["n"] == i
    log.close()


def test_closing_ends_with_a_checkpoint_and_gives_the_head(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, run_id="r")
    head = log.close({"outcome": "ok"})
    there = records(log.path)
    assert [r["event"] for r in there] == ["run.start", "run.end", "checkpoint"]
    assert (head.segment, head.size, head.head) == ("main", 3, there[-1]["hash"])
    assert log.close() == head
    with pytest.raises(AuditUnavailable, match="closed"):
        log.append("model.call", {})


def test_a_checkpoint_each_thousand_records(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, run_id="r")
    for _ in range(2 * CHECKPOINT_EVERY):
        log.append("model.call", {})
    log.close()
    assert [r["seq"] for r in records(log.path) if r["event"] == "checkpoint"][:2] == [CHECKPOINT_EVERY, 2 * CHECKPOINT_EVERY]
    assert [f.code for f in verify(log.path)] == ["W_UNANCHORED"]


def test_a_new_session_replaces_the_file(tmp_path: Path) -> None:
    path, old = write(tmp_path, calls=3)
    write(tmp_path, calls=1)
    assert len([r for r in records(path) if r["event"] == "run.start"]) == 1
    assert "E_ANCHOR" in [f.code for f in verify(path, old)]


def test_the_controller_clears_what_more_workers_left(tmp_path: Path) -> None:
    for worker in ("gw0", "gw7"):
        log = AuditLog(tmp_path, worker, run_id="r")
        log.keep({"a": 1})
        log.close()
    (tmp_path / "heads.json").write_text("{}")
    (tmp_path / "notes.txt").write_text("somebody else's")
    clear(tmp_path)
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == ["notes.txt"]
    clear(tmp_path / "absent")


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, run_id="r")
    kept = log.keep({"a": 1})
    for path in (log.path, tmp_path / "payload" / kept.digest.removeprefix("sha256:")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    log.close()


def test_a_link_in_the_place_of_the_log_leads_nowhere(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    folder = tmp_path / "audit"
    folder.mkdir()
    (folder / "main.jsonl").symlink_to(victim)
    AuditLog(folder, run_id="r").close()
    assert victim.read_text() == "mine"


# ---- when it cannot be written


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AuditUnavailable, match="cannot be written") as problem:
        AuditLog(tmp_path / "file", run_id="r")
    assert "tier 2 and up are denied" in str(problem.value)


def test_a_full_disk_closes_the_log_for_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = AuditLog(tmp_path, run_id="r")

    def full(fd: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(AuditUnavailable, match="No space left"):
            log.append("model.call", {})
    assert "No space left" in (log.failed or "")
    with pytest.raises(AuditUnavailable, match="No space left"):
        log.append("model.call", {})
    head = log.close()
    assert len(records(log.path)) == head.size == 1


def test_a_short_write_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, whole = AuditLog(tmp_path, run_id="r"), os.write
    monkeypatch.setattr(os, "write", lambda fd, data: whole(fd, data[:7]))
    log.append("model.call", {"n": 1})
    monkeypatch.undo()
    assert verify(log.path, log.close()) == []


@pytest.mark.parametrize("how", ["append", "truncate", "delete", "replace"])
def test_a_log_that_somebody_else_touches_is_closed(tmp_path: Path, how: str) -> None:
    log = AuditLog(tmp_path, run_id="r")
    if how == "append":
        with log.path.open("ab") as file:
            file.write(b"x\n")
    elif how == "truncate":
        os.truncate(log.path, 10)
    elif how == "delete":
        log.path.unlink()
    else:
        (tmp_path / "other").write_bytes(log.path.read_bytes())
        os.replace(tmp_path / "other", log.path)
    with pytest.raises(AuditUnavailable, match=r"somebody else wrote|deleted or replaced"):
        log.append("model.call", {})
    log.close()


def test_a_payload_that_cannot_be_kept_closes_the_log(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, run_id="r")
    (tmp_path / "payload").write_text("in the way")
    with pytest.raises(AuditUnavailable, match="a payload"):
        log.keep({"a": 1})
    with pytest.raises(AuditUnavailable):
        log.append("model.call", {})
    log.close()


def test_a_forked_child_does_not_write_into_its_parents_chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = AuditLog(tmp_path, run_id="r")
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: -1)
        for act in (lambda: log.append("model.call", {}), log.checkpoint, lambda: log.keep({"a": 1})):
            with pytest.raises(AuditUnavailable, match="forked child"):
                act()
        log.close()
    assert log.failed is None
    log.append("model.call", {})
    assert verify(log.path, log.close()) == []


@pytest.mark.parametrize(("sync", "tier", "forced"), [("checkpoint", 4, 0), ("decision", 1, 0), ("decision", 2, 1)])
def test_when_a_decision_is_forced_to_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sync: Sync, tier: int, forced: int
) -> None:
    log, seen = AuditLog(tmp_path, run_id="r", payloads=False, sync=sync), []
    monkeypatch.setattr(os, "fsync", lambda fd: seen.append(records(log.path)[-1]["event"]))
    one_call(log, "c1", tier)
    assert seen == ["tool.call"] * forced
    log.close()
    assert seen[forced:] == ["checkpoint"]


def test_a_disk_that_does_not_take_it_closes_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = AuditLog(tmp_path, run_id="r", payloads=False, sync="decision")

    def fails(fd: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(AuditUnavailable, match="Input/output"):
        one_call(log, "c1", 2)
    assert log.failed
    log.close()


# ---- many threads


def test_threads_share_one_chain(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, run_id="r", payloads=False)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: one_call(log, f"c{i}"), range(200)))
    assert verify(log.path, log.close()) == []


def test_a_record_costs_little(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, run_id="r", payloads=False)
    start = time.process_time()
    for i in range(300):
        one_call(log, f"c{i}")
    assert (time.process_time() - start) / 300 < 0.002
    log.close()


# ---- one record


class Level(IntEnum):
    HIGH = 3


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, '"0.1"'),
        (Decimal("1.20"), '"1.20"'),
        (True, "true"),
        (Level.HIGH, "3"),
        ((1, None), "[1,null]"),
        ({"b": 1, "a": "é\n"}, '{"a":"é\\n","b":1}'),
        ("\ud800", '"\\ud800"'),
    ],
)
def test_one_way_to_write_a_value(value: object, text: str) -> None:
    assert canon(plain(value)).decode() == text


def test_what_cannot_stand_in_a_record() -> None:
    with pytest.raises(TypeError, match="set"):
        plain({"a": {1}})


@pytest.mark.parametrize("key", ["v", "seq", "ts", "run_id", "segment", "event", "prev", "hash"])
def test_nobody_else_writes_the_fields_of_the_chain(tmp_path: Path, key: str) -> None:
    log = AuditLog(tmp_path, run_id="r")
    with pytest.raises(ValueError, match="writes these itself"):
        log.append("model.call", {key: 1})
    log.close()


OWN = {"v": 1, "seq": 0, "ts": "t", "run_id": "r", "segment": "s", "event": "model.call", "prev": GENESIS}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=150, deadline=None)
@given(fields=st.dictionaries(st.text().filter(lambda k: k not in {*OWN, "hash"}), JSON, max_size=4))
def test_a_record_is_read_as_it_was_written(fields: dict[str, object]) -> None:
    record = sealed({**fields, **OWN})
    assert parse(canon(record)) == record
    assert b"\n" not in canon(record)


@settings(max_examples=100, deadline=None)
@given(data=st.data(), fields=st.dictionaries(st.sampled_from(["a", "b", "c"]), JSON, min_size=1))
def test_the_hash_covers_every_field(data: st.DataObject, fields: dict[str, object]) -> None:
    record = sealed({**fields, **OWN})
    key = data.draw(st.sampled_from(sorted(set(record) - {"hash"})))
    other = data.draw(JSON.filter(lambda v: canon(v) != canon(record[key])))
    assert hash_of({**record, key: other}) != record["hash"]
    assert hash_of({k: v for k, v in record.items() if k != key}) != record["hash"]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | JSON.map(lambda v: json.dumps(v).encode()))
def test_reading_raises_one_thing_only(line: bytes) -> None:
    with pytest.raises(BadRecord):
        parse(line)


def test_an_args_digest_is_keyed(tmp_path: Path) -> None:
    one, two = (AuditLog(tmp_path / n, run_id="r", key=n.encode()) for n in "ab")
    assert one.args_digest({"card": "4111"}) == one.args_digest({"card": "4111"}) != two.args_digest({"card": "4111"})
    assert one.args_digest({"n": 1.5}).startswith("hmac-sha256:")
    one.close()
    two.close()
