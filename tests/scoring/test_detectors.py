from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from pytest_agentops.schema.call import Call, ErrorInfo
from pytest_agentops.schema.run import Run
from pytest_agentops.scoring.detectors import detect, empty_retrieval, loop, policy_blocked, spend_spike
from pytest_agentops.scoring.judge import judge


def calls(names: str, **args: Any) -> list[Call]:
    return [Call(tool=name, args=args, source="replay", effect="read", result="x") for name in names]


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ("", ""),
        ("aa", ""),
        ("aba", ""),
        ("aaa", "a {}: 3 times in a row, from call 1 on"),
        ("baaaa", "a {}: 4 times in a row, from call 2 on"),
        ("ababab", "a -> b: 3 times in a row, from call 1 on"),
        ("cabcabcab", "c -> a -> b: 3 times in a row, from call 1 on"),
        ("xabcdabcdabcdy", "a -> b -> c -> d: 3 times in a row, from call 2 on"),
        ("abcdeabcdeabcde", ""),
        ("ababa", ""),
    ],
)
def test_loops(names: str, says: str) -> None:
    assert loop(calls(names)) == says


def test_other_arguments_are_another_call() -> None:
    pages = [Call(tool="list", args={"page": n}, source="replay") for n in range(9)]
    assert loop(pages) == ""
    same = [Call(tool="list", args={"page": n}, source="replay") for n in (1, 1.0, Decimal(1))]
    assert loop(same) == 'list {"page":1}: 3 times in a row, from call 1 on'


def test_a_fresh_key_makes_no_other_call() -> None:
    fresh = [Call(tool="pay", args={"n": 1, "key": f"k{i}"}, ignored=("key",), source="replay") for i in range(3)]
    assert loop(fresh) == 'pay {"key":"k0","n":1}: 3 times in a row, from call 1 on'
    other = [Call(tool="pay", args={"n": i, "key": "k"}, ignored=("key",), source="replay") for i in range(3)]
    assert loop(other) == ""


def test_a_search_that_repeats_the_question_found_nothing() -> None:
    def search(result: Any, **args: Any) -> str:
        return empty_retrieval([Call(tool="kb.search", args=args, source="live", effect="read", result=result)])

    assert search({"query": "x", "results": []}, query="x")
    assert search({"query": "x", "page": 2, "results": []}, query="x", page=2)
    assert not search({"query": "y", "results": []}, query="x"), "it says something else"
    assert not search({"id": "W-1", "status": "delivered", "notes": []}, id="W-1")


@pytest.mark.parametrize("result", [None, "", [], {}, {"results": []}, {"results": [], "total": 0, "next": None, "more": False}])
def test_a_read_that_found_nothing(result: Any) -> None:
    call = Call(tool="kb.search", args={"q": "x"}, source="live", effect="read", result=result)
    assert empty_retrieval([*calls("a"), call]) == 'call 2, kb.search {"q":"x"}, found nothing'


@pytest.mark.parametrize(
    "call",
    [
        Call(tool="s", args={}, source="live", effect="read", result={"results": [], "total": 3}),
        Call(tool="s", args={}, source="live", effect="read", result={"results": [1]}),
        Call(tool="s", args={}, source="live", effect="read", result={"total": 0}),
        Call(tool="s", args={}, source="live", effect="read", result=0),
        Call(tool="s", args={}, source="live", effect="read", result=False),
        Call(tool="s", args={}, source="live", effect="write", result=None),
        Call(tool="s", args={}, source="live", result=None),
        Call(tool="s", args={}, source="none", effect="read"),
        Call(tool="s", args={}, source="live", effect="read", error=ErrorInfo(type="Timeout")),
    ],
)
def test_what_is_no_empty_retrieval(call: Call) -> None:
    assert empty_retrieval([call]) == ""


@pytest.mark.parametrize(
    ("denied", "others", "says"),
    [(0, 0, ""), (1, 0, ""), (2, 0, "2 of 2"), (2, 1, "2 of 3"), (2, 2, ""), (3, 2, "3 of 5"), (3, 3, "")],
)
def test_most_of_it_was_denied(denied: int, others: int, says: str) -> None:
    blocked = [Call(tool="p", args={}, decision="deny", reason="rule") for _ in range(denied)]
    found = policy_blocked([*blocked, *calls("a" * others)])
    assert found == (f"{says} calls were denied by a policy" if says else "")


def test_a_spike() -> None:
    def spike(cost: Any, usual: Any) -> str:
        return spend_spike(cost, usual, what="the median")

    assert spike(Decimal("3.1"), Decimal(1)) == "$3.1 is 3.1 times the median ($1)"
    assert spike(Decimal(3), Decimal(1)) == ""
    assert spike(None, Decimal(1)) == ""
    assert spike(Decimal(1), None) == ""
    assert spike(Decimal(1), Decimal(0)) == "", "where nothing is usual nothing is unusual"


@pytest.mark.parametrize(("word", "success", "labels"), [(None, True, []), ("ignore", True, []), ("fail", False, ["loop"])])
def test_a_case_says_what_a_detector_means(word: str | None, success: bool, labels: list[str], make_case: Any) -> None:
    run = Run(calls=calls("aaa"))
    judge(run, make_case(expect={} if word is None else {"detectors": {"loop": word}}))
    assert (run.success, run.labels) == (success, labels)
    assert run.detected == ({} if word == "ignore" else detect(run))


def test_a_failed_run_is_labelled_with_what_was_seen(make_case: Any) -> None:
    run = Run(calls=calls("aaa"), outcome="error")
    judge(run, make_case())
    assert run.labels == ["loop"]
