"""What is done to a log is found."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_agentops.audit.findings import BROKEN, OK, exit_code
from pytest_agentops.audit.log import AuditLog, Checkpoint
from pytest_agentops.audit.record import AuditUnreadable, canon, parse, sealed
from pytest_agentops.audit.verify import verify
from pytest_agentops.schema.values import JsonObject

from .logs import DIGEST, lines, rewritten, write

Change = Callable[[list[bytes]], list[bytes]]


def codes(path: Path, anchor: str | Checkpoint | None) -> list[str]:
    return [f.code for f in verify(path, anchor)]


def altered(line: bytes, **fields: object) -> bytes:
    """A record with other fields and a hash that fits them."""
    record: JsonObject = {**parse(line.rstrip(b"\n")), **fields}
    return canon(sealed({k: v for k, v in record.items() if k != "hash"})) + b"\n"


def test_a_sound_log(tmp_path: Path) -> None:
    path, head = write(tmp_path)
    assert verify(path, head) == []
    assert verify(path, Checkpoint(segment="main", size=len(lines(path)), head=head)) == []
    assert codes(path, None) == ["W_UNANCHORED"]
    assert exit_code(verify(path)) == OK


MODIFY: Change = lambda ls: [*ls[:7], ls[7].replace(b'"tier":3', b'"tier":0'), *ls[8:]]  # noqa: E731
REHASH: Change = lambda ls: [*ls[:7], altered(ls[7], tier=0), *ls[8:]]  # noqa: E731
DELETE: Change = lambda ls: ls[:7] + ls[8:]  # noqa: E731
SWAP: Change = lambda ls: [*ls[:7], ls[8], ls[7], *ls[9:]]  # noqa: E731
INSERT: Change = lambda ls: [*ls[:7], altered(ls[7], tool="bank.pay"), *ls[7:]]  # noqa: E731
FIRST: Change = lambda ls: ls[1:]  # noqa: E731


@pytest.mark.parametrize(
    ("change", "code"),
    [(MODIFY, "E_HASH"), (REHASH, "E_PREV"), (DELETE, "E_SEQ"), (SWAP, "E_SEQ"), (INSERT, "E_SEQ"), (FIRST, "E_SEQ")],
    ids=["modify", "modify with a new hash", "delete", "swap", "insert", "delete the first"],
)
@pytest.mark.parametrize("anchored", [True, False], ids=["anchored", "unanchored"])
def test_a_change_inside_is_found(tmp_path: Path, change: Change, code: str, anchored: bool) -> None:
    path, head = write(tmp_path)
    before = lines(path)
    after = change(before)
    assert after != before
    path.write_bytes(b"".join(after))
    found = verify(path, head if anchored else None)
    assert code in [f.code for f in found]
    assert exit_code(found) == BROKEN


@pytest.mark.parametrize("kept", [0, 1, 5, 37, -1])
def test_a_cut_off_tail_is_found_with_the_anchor(tmp_path: Path, kept: int) -> None:
    path, head = write(tmp_path)
    path.write_bytes(b"".join(lines(path)[:kept]))
    assert "E_ANCHOR" in codes(path, head)
    assert exit_code(verify(path, head)) == BROKEN


def test_a_cut_off_tail_is_no_break_without_the_anchor_but_is_told(tmp_path: Path) -> None:
    path, _ = write(tmp_path)
    path.write_bytes(b"".join(lines(path)[:10]))
    assert codes(path, None) == ["W_OPEN", "W_UNANCHORED"]


def test_a_full_rewrite_is_found_with_the_anchor_only(tmp_path: Path) -> None:
    path, head = write(tmp_path)

    def another_story(records: list[JsonObject]) -> list[JsonObject]:
        return [{**r, "tool": "orders.get"} if "tool" in r else r for r in records]

    rewritten(path, another_story)
    assert codes(path, None) == ["W_UNANCHORED"]
    assert codes(path, head) == ["E_ANCHOR"]


def test_a_log_of_another_session_is_found(tmp_path: Path) -> None:
    _, head = write(tmp_path / "old")
    path, _ = write(tmp_path / "new")
    assert codes(path, head) == ["E_ANCHOR"]


def test_an_anchor_at_another_place_is_found(tmp_path: Path) -> None:
    path, head = write(tmp_path)
    assert "E_ANCHOR" in codes(path, Checkpoint(segment="main", size=3, head=head))


@pytest.mark.parametrize("anchor", ["", "abc", "g" * 64, "A" * 64])
def test_what_is_no_anchor_is_said(tmp_path: Path, anchor: str) -> None:
    path, _ = write(tmp_path)
    assert codes(path, anchor) == ["E_ANCHOR"]


def test_records_after_the_anchor_are_named(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, run_id="r", payloads=False)
    head = log.checkpoint()
    log.append("model.call", {"model": "m"})
    log.close()
    found = verify(log.path, head)
    assert [f.code for f in found] == ["W_UNANCHORED"]
    assert "3 records" in found[0].message


@pytest.mark.parametrize(
    "line",
    [
        b"{}",
        b"nonsense",
        b"[1]",
        b"\xff\xfe",
        b'{"v":1,"v":1}',
        b"",
        b"[" * 100_000,
        b'{"n":' + b"9" * 5000 + b"}",
    ],
)
def test_a_line_that_is_no_record(tmp_path: Path, line: bytes) -> None:
    path, head = write(tmp_path)
    before = lines(path)
    path.write_bytes(b"".join([*before[:4], line + b"\n", *before[4:]]))
    assert "E_PARSE" in codes(path, head)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"event":', b'"event" :'),
        (b'"seq":4', b'"seq":4.0'),
        (b'"v":1', b'"v":2'),
        (b'"v":1', b'"v":true'),
        (b'"trial":1', b'"trial":NaN'),
        (b'"trial":1', b'"trial":1,"trial":1'),
        (b'"event":"tool.', b'"event":"tool_'),
    ],
)
def test_leniency_in_reading_is_no_way_in(tmp_path: Path, old: bytes, new: bytes) -> None:
    path, head = write(tmp_path)
    before = lines(path)
    place = 4 if b'"seq":4' in old else 3
    assert old in before[place]
    path.write_bytes(b"".join([*before[:place], before[place].replace(old, new, 1), *before[place + 1 :]]))
    assert [f.code for f in verify(path, head) if f.seq == place][:1] == ["E_PARSE"]


def test_a_torn_last_line(tmp_path: Path) -> None:
    path, head = write(tmp_path)
    path.write_bytes(path.read_bytes()[:-20])
    assert "E_PARSE" in codes(path, head)


def test_one_deletion_is_one_finding(tmp_path: Path) -> None:
    path, _ = write(tmp_path)
    before = lines(path)
    path.write_bytes(b"".join(before[:7] + before[8:]))
    assert [f.code for f in verify(path) if f.breaks] == ["E_SEQ", "E_PREV"]


def test_the_first_bad_line_is_named_as_an_editor_counts(tmp_path: Path) -> None:
    path, head = write(tmp_path)
    path.write_bytes(b"".join(MODIFY(lines(path))))
    assert str(verify(path, head)[0]).startswith(f"{path}:8: E_HASH: ")


def test_a_clock_that_went_back_is_told(tmp_path: Path) -> None:
    path, _ = write(tmp_path, calls=1)
    rewritten(path, lambda rs: [*rs[:2], {**rs[2], "ts": "1999-01-01T00:00:00.000Z"}, *rs[3:]])
    assert codes(path, None) == ["W_TIME", "W_UNANCHORED"]


def test_nothing_to_read(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.jsonl", tmp_path):
        with pytest.raises(AuditUnreadable, match=str(path.name)):
            verify(path)


def test_an_empty_file_is_broken(tmp_path: Path) -> None:
    path, head = write(tmp_path)
    path.write_bytes(b"")
    assert "E_PARSE" in codes(path, None)
    assert exit_code(verify(path, head)) == BROKEN


def test_a_checkpoint_that_names_another_head(tmp_path: Path) -> None:
    path, _ = write(tmp_path, calls=1)
    before = lines(path)
    path.write_bytes(b"".join([*before[:-1], altered(before[-1], head="0" * 64)]))
    assert "E_PREV" in codes(path, None)


def test_two_runs_in_one_log(tmp_path: Path) -> None:
    path, _ = write(tmp_path, calls=1)
    rewritten(path, lambda rs: [*rs[:2], {**rs[2], "run_id": "other"}, *rs[3:]])
    assert "E_SEQ" in codes(path, None)


def test_ten_thousand_records_in_two_seconds(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, run_id="r", payloads=False)
    fields = {
        "case": "refunds/small",
        "trial": 1,
        "step": 4,
        "model": "m" * 20,
        "usage": {"input_tokens": 1200},
        "cost_usd": "0.000234",
    }
    fields |= {"pins": {"prompt": DIGEST, "contract": DIGEST}, "trace_id": "t" * 32}
    for _ in range(10_000):
        log.append("model.call", fields)
    head = log.close()
    assert head.size > 10_000
    start = time.process_time()
    assert verify(log.path, head) == []
    assert time.process_time() - start < 2.0


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_byte_can_be_changed_unseen(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("log")
    path, head = write(folder, calls=2)
    raw = bytearray(path.read_bytes())
    where = data.draw(st.integers(0, len(raw) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda b: b != raw[where]))
    raw[where] = value
    path.write_bytes(bytes(raw))
    assert exit_code(verify(path, head)) == BROKEN


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_other_order_or_choice_of_records_is_sound(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("log")
    path, head = write(folder, calls=2)
    before = lines(path)
    after = data.draw(st.lists(st.sampled_from(before), max_size=len(before) + 2).filter(lambda ls: ls != before))
    path.write_bytes(b"".join(after))
    assert exit_code(verify(path, head)) == BROKEN
