"""Prices: exact dollars, computed by hand from the figures that genai-prices ships; what is not certain is unknown."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from pytest_agentops.cost import prices
from pytest_agentops.cost.prices import cost, is_local, price
from pytest_agentops.cost.usage import Answer
from pytest_agentops.schema.run import Usage

AT = datetime(2026, 11, 1, 20, 0, tzinfo=UTC)
OPENAI = "https://api.openai.com/v1/chat/completions"
ANTHROPIC = "https://api.anthropic.com/v1/messages"


@pytest.mark.parametrize(
    ("model", "url", "usage", "dollars"),
    [
        # 0.15 in, 0.60 out, 0.075 cached a million: 176 * 0.15 + 1024 * 0.075 + 340 * 0.60 = 307.2
        ("gpt-4o-mini", OPENAI, Usage(input=1200, output=340, cached=1024, reasoning=128), "0.0003072"),
        ("gpt-4o-mini-2024-07-18", OPENAI, Usage(input=1200, output=340, cached=1024, reasoning=128), "0.0003072"),
        # 0.25, 2, 0.025: 388 * 0.25 + 512 * 0.025 + 200 * 2 = 509.8
        ("gpt-5-mini-2025-08-07", OPENAI, Usage(input=900, output=200, cached=512, reasoning=150), "0.0005098"),
        # 3, 15, 0.3, 3.75: 50 * 3 + 8000 * 0.3 + 2000 * 3.75 + 300 * 15 = 14550
        ("claude-sonnet-4-5-20250929", ANTHROPIC, Usage(input=10050, output=300, cached=8000, cache_write=2000), "0.01455"),
        # over 200000 tokens of input all cost more: 250000 * 6 + 100 * 22.5 = 1502250
        ("claude-sonnet-4-5", ANTHROPIC, Usage(input=250_000, output=100), "1.50225"),
        # 0.3, 2.5, 0.03: 420 * 0.3 + 300 * 0.03 + 200 * 2.5 = 635
        (
            "gemini-2.5-flash",
            "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent",
            Usage(input=720, output=200, cached=300, reasoning=160),
            "0.000635",
        ),
        # 0.02: 8 * 0.02 = 0.16
        ("text-embedding-3-small", OPENAI, Usage(input=8, output=0), "0.00000016"),
        # the same name asks different prices in different houses: 0.039 and 0.18, 0.35 and 0.75
        ("gpt-oss-120b", "https://api.cerebras.ai/v1/chat/completions", Usage(input=1000, output=1000), "0.0011"),
        ("openai/gpt-oss-120b", "", Usage(input=1000, output=1000), "0.000219"),
        # Azure passes OpenAI's models on, at its prices
        (
            "gpt-4o-mini",
            "https://our.openai.azure.com/openai/deployments/bot/chat/completions",
            Usage(input=1000, output=0),
            "0.00015",
        ),
        ("openai/gpt-4o-mini", "https://openrouter.ai/api/v1/chat/completions", Usage(input=1000, output=0), "0.00015"),
        ("gpt-4o-mini", "https://gateway.example.com/v1/chat/completions", Usage(input=1000, output=0), "0.00015"),
        ("openai/gpt-4o-mini", "https://gateway.example.com/v1/chat/completions", Usage(input=1000, output=0), "0.00015"),
        ("gpt-4o-mini", "", Usage(input=1000, output=0), "0.00015"),
        ("gpt-4o-mini", OPENAI, Usage(input=0, output=0), "0"),
    ],
)
def test_golden(model: str, url: str, usage: Usage, dollars: str) -> None:
    assert price(usage, model, endpoint=url, at=AT) == Decimal(dollars)


def test_a_price_changes_with_the_hour() -> None:
    """DeepSeek, 0.27 by day and 0.135 by night, in UTC."""
    usage, url = Usage(input=1000, output=0), "https://api.deepseek.com/chat/completions"
    assert price(usage, "deepseek-chat", endpoint=url, at=datetime(2026, 11, 1, 12, tzinfo=UTC)) == Decimal("0.00027")
    assert price(usage, "deepseek-chat", endpoint=url, at=AT) == Decimal("0.000135")


def test_a_price_changes_with_the_day() -> None:
    usage = Usage(input=1000, output=0)
    assert price(usage, "o3", endpoint=OPENAI, at=datetime(2025, 6, 9, tzinfo=UTC)) == Decimal("0.01")
    assert price(usage, "o3", endpoint=OPENAI, at=AT) == Decimal("0.002")


@pytest.mark.parametrize(
    ("model", "url"),
    [
        ("smollm2-135m", ""),
        ("gpt-99", OPENAI),
        ("claude-sonnet-4-5", OPENAI),
        ("", OPENAI),
        ("gpt-oss-120b", ""),  # four houses have it, at four prices
        ("gpt-oss-120b", "https://gateway.example.com/v1/chat/completions"),
        ("gpt-4o-mini", "https://api.githubcopilot.com/chat/completions"),  # a name without figures
        ("whisper-1", OPENAI),  # by the minute, not by tokens
        ("gpt-4o-mini", "http://127.0.0.1:8080/v1/chat/completions"),
    ],
)
def test_an_unknown_price_is_none(model: str, url: str) -> None:
    assert price(Usage(input=1000, output=10), model, endpoint=url, at=AT) is None


def test_nothing_used_of_an_unknown_model_is_unknown_too() -> None:
    assert price(Usage(input=0, output=0), "smollm2-135m", at=AT) is None


def test_output_that_has_no_price_is_unknown() -> None:
    assert price(Usage(input=8, output=1), "text-embedding-3-small", endpoint=OPENAI, at=AT) is None


def test_counts_that_contradict_each_other_are_unknown() -> None:
    assert price(Usage(input=10, output=1, cached=11), "gpt-4o-mini", endpoint=OPENAI, at=AT) is None


@pytest.mark.parametrize(
    ("tier", "dollars"),
    [(None, "0.00025"), ("default", "0.00025"), ("auto", "0.00025"), ("flex", "0.000125"), ("priority", "0.00045"), ("x", None)],
)
def test_service_tiers(tier: str | None, dollars: str | None) -> None:
    found = price(Usage(input=1000, output=0), "gpt-5-mini", endpoint=OPENAI, at=AT, tier=tier)
    assert found == (None if dollars is None else Decimal(dollars))


def test_a_tier_at_a_house_that_only_passes_the_model_on_is_unknown() -> None:
    url = "https://our.openai.azure.com/openai/deployments/bot/chat/completions"
    assert price(Usage(input=1000, output=0), "gpt-3.5-turbo-16k-0613", endpoint=url, at=AT, tier="priority") is None


@pytest.mark.parametrize(
    ("model", "url", "usage", "extras", "dollars"),
    [
        # as above, with 500 of the 2000 written for an hour at 6: 150 + 2400 + 1500 * 3.75 + 500 * 6 + 4500 = 15675
        (
            "claude-sonnet-4-5",
            ANTHROPIC,
            Usage(input=10050, output=300, cached=8000, cache_write=2000),
            {"cache_write_1h_tokens": 500},
            "0.015675",
        ),
        # two searches at 10 a thousand
        ("claude-sonnet-4-5", ANTHROPIC, Usage(input=100, output=0), {"web_searches": 2}, "0.0203"),
        # 0.3 for text, 1 for sound: 600 * 0.3 + 100 * 1 = 280
        ("gemini-2.5-flash", "https://x.googleapis.com/", Usage(input=700, output=0), {"input_audio_tokens": 100}, "0.00028"),
        ("gpt-4o-mini", OPENAI, Usage(input=700, output=9), {"output_audio_tokens": 9}, None),
        ("gpt-4o-mini", OPENAI, Usage(input=700, output=9), {"code_executions": 1}, None),
        ("gemini-2.5-flash", "https://x.googleapis.com/", Usage(input=700, output=0), {"grounded_answers": 1}, None),
    ],
)
def test_what_is_billed_apart(model: str, url: str, usage: Usage, extras: dict[str, int], dollars: str | None) -> None:
    assert price(usage, model, endpoint=url, at=AT, extras=extras) == (None if dollars is None else Decimal(dollars))


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080/v1",
        "http://localhost:1234",
        "http://[::1]:80",
        "http://10.0.0.7/v1",
        "http://192.168.1.2",
        "http://172.16.0.1",
        "http://169.254.1.1",
        "http://0.0.0.0:8000",
        "http://vllm:8000/v1",
        "http://gpu.internal",
        "http://gpu.lan",
        "http://nas.local:11434",
        "http://vllm.default.svc",
        "127.0.0.1:8080",
    ],
)
def test_local(url: str) -> None:
    assert is_local(url)


@pytest.mark.parametrize("url", ["", OPENAI, "https://8.8.8.8/v1", "https://localhost.example.com", "api.openai.com"])
def test_not_local(url: str) -> None:
    assert not is_local(url)


USED = Usage(input=1000, output=0)


@pytest.mark.parametrize(
    ("answer", "dollars"),
    [
        (Answer(model="gpt-4o-mini", usage=USED), "0.00015"),
        (Answer(model="gpt-4o-mini", usage=USED, stated_cost=Decimal("0.5")), "0.5"),
        (Answer(model="nobody", usage=None, stated_cost=Decimal("0")), "0"),
        (Answer(model="gpt-4o-mini", usage=None), None),
        (Answer(model=None, usage=USED), None),
        (Answer(model="gpt-4o-mini", usage=None, billed=False), "0"),
        (Answer(model="gpt-4o-mini", usage=USED, tier="priority"), "0.00025"),
        (Answer(model="gpt-4o-mini", usage=USED, extras={"web_searches": 1}), "0.01015"),
    ],
)
def test_the_cost_of_an_answer(answer: Answer, dollars: str | None) -> None:
    assert cost(answer, url=OPENAI, at=AT) == (None if dollars is None else Decimal(dollars))


def test_the_time_is_now_where_none_is_given() -> None:
    assert price(USED, "gpt-4o-mini", endpoint=OPENAI) == Decimal("0.00015")


def test_prices_that_other_code_sets_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    from genai_prices import data_snapshot

    empty = data_snapshot.DataSnapshot(providers=[], from_auto_update=True)
    monkeypatch.setattr(data_snapshot, "_custom_snapshot", empty)
    prices._found.cache_clear()
    assert price(USED, "gpt-4o-mini", endpoint=OPENAI, at=AT) == Decimal("0.00015")


ALONE = """
import socket, sys, threading
def refused(*args, **more): raise AssertionError("a connection")
socket.socket.connect = socket.getaddrinfo = refused
from pytest_agentops.cost.prices import price
from pytest_agentops.schema.run import Usage
assert price(Usage(input=1, output=1), "m", endpoint="http://127.0.0.1:1/v1") is None
assert "genai_prices" not in sys.modules, "a local model needs no table"
assert price(Usage(input=1, output=1), "gpt-4o-mini", endpoint="https://api.openai.com/v1") is not None
assert threading.active_count() == 1, threading.enumerate()
"""


def test_the_table_is_never_updated() -> None:
    """In a process of its own: no connection is tried, no thread is left that might."""
    done = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_money_is_exact_whatever_the_context_of_decimals() -> None:
    """An agent may set its own, and round what it likes."""
    import decimal

    with decimal.localcontext(decimal.Context(prec=2)):
        found = price(Usage(input=1200, output=340, cached=1024), "gpt-4o-mini", endpoint=OPENAI, at=AT)
    assert found == Decimal("0.0003072")
