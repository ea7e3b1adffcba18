"""What lies beside the log: redacted before it is written, found when it changes, erased without a break."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_agentops.audit.entry import CallEntry
from pytest_agentops.audit.log import AuditLog
from pytest_agentops.audit.payload import REDACTED, Payloads, redact, unredacted
from pytest_agentops.audit.record import AuditUnreadable
from pytest_agentops.audit.retention import erase_expired
from pytest_agentops.audit.verify import records, verify

from .logs import ABOUT, DIGEST, lines, rewritten

NOON = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
ARGS: dict[str, Any] = {"order_id": "W-1", "card_number": "4111 1111 1111 1111", "to": {"bank_account": "DE02"}}


def call(log: AuditLog, ident: str = "c1", *, days: int | None = 30, fields: tuple[str, ...] = ("card_number",)) -> None:
    entry = CallEntry(log, ident, tool="payments.refund", tier=3, about=ABOUT)
    entry.decided("allow", reason="rule", action_digest=DIGEST, args=ARGS, redact_fields=fields, retain_days=days)
    entry.called()
    entry.ended("ok", result={"ok": True}, retain_days=days)


def written(folder: Path, **options: Any) -> tuple[Path, str]:
    log = AuditLog(folder, run_id="r", clock=lambda: NOON)
    call(log, **options)
    return log.path, log.close().head


def payload_of(path: Path) -> Path:
    digest = next(r["payload_digest"] for r in records(path) if "payload_digest" in r)
    return path.parent / "payload" / digest.removeprefix("sha256:")


# ---- redaction


@pytest.mark.parametrize(
    ("fields", "gone"),
    [
        ([], []),
        (["card_number"], ["/card_number"]),
        (["bank_account"], ["/to/bank_account"]),
        (["to"], ["/to"]),
        (["$.to.bank_account", "card_number"], ["/card_number", "/to/bank_account"]),
        (["card"], []),
    ],
)
def test_which_fields_go(fields: list[str], gone: list[str]) -> None:
    without, pointers = redact(ARGS, fields)
    assert pointers == gone
    assert unredacted(ARGS, fields) == gone
    assert unredacted(without, fields) == []
    assert (without == ARGS) is (gone == [])


def test_fields_inside_lists_and_odd_names() -> None:
    without, pointers = redact({"a/b": [{"c~d": 1}, {"c~d": 2, "e": 3}]}, ["c~d"])
    assert pointers == ["/a~1b/0/c~0d", "/a~1b/1/c~0d"]
    assert without == {"a/b": [{"c~d": REDACTED}, {"c~d": REDACTED, "e": 3}]}
    assert unredacted({"a/b": [{"c~d": 1}]}, ["c~d"]) == ["/a~1b/0/c~0d"]


@settings(max_examples=80, deadline=None)
@given(
    st.recursive(
        st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
        max_leaves=9,
    )
)
def test_nothing_is_left_of_a_field(value: Any) -> None:
    without, _ = redact(value, ["a"])
    assert unredacted(without, ["a"]) == []


def test_the_log_says_what_was_erased_and_holds_none_of_it(tmp_path: Path) -> None:
    path, head = written(tmp_path, fields=("card_number", "bank_account"))
    decision = next(r for r in records(path) if r["event"] == "policy.decision")
    assert decision["redacted"] == ["/args/card_number", "/args/to/bank_account"]
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert b"4111" not in file.read_bytes()
            assert b"DE02" not in file.read_bytes()
    assert verify(path, head, canaries=["4111 1111"]) == []


def test_what_should_have_been_redacted_is_found(tmp_path: Path) -> None:
    path, _ = written(tmp_path, fields=())
    rewritten(path, lambda rs: [{**r, "redact_fields": ["card_number"]} if r["event"] == "policy.decision" else r for r in rs])
    found = [f for f in verify(path) if f.breaks]
    assert [f.code for f in found] == ["E_LEAK"]
    assert "/args/card_number" in found[0].message


def test_a_canary_is_found_in_the_log_and_beside_it(tmp_path: Path) -> None:
    path, head = written(tmp_path, fields=())
    assert [f.code for f in verify(path, head, canaries=["4111 1111"])] == ["E_LEAK"]
    assert [f.code for f in verify(path, head, canaries=["payments.refund"])] == ["E_LEAK"]
    assert verify(path, head, canaries=["CANARY", ""]) == []


# ---- the files


def test_equal_payloads_have_different_digests(tmp_path: Path) -> None:
    payloads = Payloads(tmp_path)
    one, two = payloads.keep({"pin": 1234}), payloads.keep({"pin": 1234})
    assert one != two
    assert payloads.value(one) == payloads.value(two) == {"pin": 1234}
    assert list(payloads.present()) == sorted([one, two])


def test_a_changed_payload_is_found(tmp_path: Path) -> None:
    path, head = written(tmp_path)
    file = payload_of(path)
    file.write_bytes(file.read_bytes().replace(b"W-1", b"W-2"))
    assert [f.code for f in verify(path, head)] == ["E_PAYLOAD"]


def test_a_lost_payload_is_found(tmp_path: Path) -> None:
    path, head = written(tmp_path)
    payload_of(path).unlink()
    found = verify(path, head)
    assert [(f.code, "is gone" in f.message) for f in found] == [("E_PAYLOAD", True)]


@pytest.mark.parametrize("name", ["../../secret", "sha256:../x", "sha256:" + "A" * 64, ""])
def test_a_digest_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="no digest"):
        Payloads(tmp_path).erase(name)


# ---- retention


def test_what_is_over_is_erased_and_the_chain_stays_whole(tmp_path: Path) -> None:
    path, head = written(tmp_path, days=30)
    before = lines(path)
    assert erase_expired(path, dt.date(2026, 12, 22)) == []
    assert lines(path) == before
    gone = erase_expired(path, dt.date(2026, 12, 23))
    assert len(gone) == 2
    assert list(Payloads(tmp_path).present()) == []
    assert lines(path)[: len(before)] == before
    assert [r["event"] for r in records(path)][-3:] == ["retention.erased", "retention.erased", "checkpoint"]
    assert [f.code for f in verify(path, head)] == ["W_UNANCHORED"]  # the anchor holds; the erasures came after it
    assert erase_expired(path, dt.date(2027, 12, 23)) == []
    assert len(records(path)) == len(before) + 3


def test_what_has_no_term_is_kept(tmp_path: Path) -> None:
    path, _ = written(tmp_path, days=None)
    assert erase_expired(path, dt.date(2999, 1, 1)) == []
    assert payload_of(path).exists()


def test_an_erasure_that_was_cut_short_is_found_and_finished(tmp_path: Path) -> None:
    path, _ = written(tmp_path)
    file = payload_of(path)
    data = file.read_bytes()
    erase_expired(path, dt.date(2027, 1, 1))
    file.write_bytes(data)
    assert [f.code for f in verify(path) if f.breaks] == ["E_PAYLOAD"]
    assert erase_expired(path, dt.date(2027, 1, 1)) == [f"sha256:{file.name}"]
    assert not [f for f in verify(path) if f.breaks]


def test_nothing_is_appended_to_a_broken_log(tmp_path: Path) -> None:
    path, _ = written(tmp_path)
    path.write_bytes(b"".join(lines(path)[:2] + lines(path)[3:]))
    before = path.read_bytes()
    with pytest.raises(AuditUnreadable, match="broken"):
        erase_expired(path, dt.date(2027, 1, 1))
    assert path.read_bytes() == before
    assert payload_of(path).exists()
