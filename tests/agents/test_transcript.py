"""The transcript agent: what it does with a session, message by message, and what it says of a broken file."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agentops.agents.transcript import load, play, transcript
from pytest_agentops.errors import CassetteError, LoadError, MissingCassette
from pytest_agentops.schema import document
from pytest_agentops.schema.run import Usage
from pytest_agentops.schema.transcript import Asked, Message, Transcript, from_json, transcript_text


class Log:
    """Stands for session and toolbox: keeps what is done to it, in order."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.done: list[tuple[Any, ...]] = []
        self.stated_cost: Decimal | None = None

    def __getattr__(self, name: str) -> Any:
        return lambda *args: self.done.append((name, *args))


FULL = Transcript(
    case="s/a",
    source_id="A",
    source_trial=3,
    model="m",
    outcome="timed_out",
    agent_cost_usd=Decimal("0.14911499999999997"),
    messages=(
        Message(role="system", content="Be kind."),
        Message(role="assistant", content="Hi!", cost_usd=Decimal(0)),
        Message(role="user", content="no"),
        Message(
            role="assistant",
            content="One moment.",
            calls=(Asked(tool="a.b", args={"x": 1}, id="c1"), Asked(tool="b", args={})),
            usage=Usage(input=5, output=2),
        ),
        Message(role="assistant", content="Done."),
        Message(role="user", content="Thanks"),
    ),
)


def write(folder: Path, text: str) -> Path:
    (folder / "transcript.yaml").write_text(text, encoding="utf-8")
    return folder


def test_every_message_in_its_order(tmp_path: Path) -> None:
    log = Log(tmp_path)
    write(tmp_path, transcript_text(document.write(FULL.as_json())))
    output = transcript()(SimpleNamespace(session=log), log)  # type: ignore[arg-type]
    assert output == "Done."
    assert log.stated_cost == Decimal("0.14911499999999997")
    chat = [
        {"id": "c1", "type": "function", "function": {"name": "a.b", "arguments": '{"x":1}'}},
        {"id": "call_2", "type": "function", "function": {"name": "b", "arguments": "{}"}},
    ]
    assert log.done == [
        ("record_message", {"role": "system", "content": "Be kind."}),
        ("answered", None, Decimal(0), "m"),
        ("say", "Hi!"),
        ("user", "no"),
        ("answered", Usage(input=5, output=2), None, "m"),
        ("say", "One moment."),
        ("record_message", {"role": "assistant", "content": None, "tool_calls": chat}),
        ("attempt", "a.b", {"x": 1}),
        ("attempt", "b", {}),
        ("answered", None, None, "m"),
        ("say", "Done."),
        ("user", "Thanks"),
        ("finish", "timed_out", "the recorded run ended as timed_out"),
    ]


def test_a_run_that_completed_is_not_finished_by_hand(tmp_path: Path) -> None:
    log = Log(tmp_path)
    play(Transcript(messages=(Message(role="user", content="x"),)), SimpleNamespace(session=log), log)  # type: ignore[arg-type]
    assert log.done == [("user", "x")]
    assert log.stated_cost is None


def test_the_agent_brings_the_user() -> None:
    assert transcript().plays_user is True  # type: ignore[attr-defined]


def test_it_takes_no_options() -> None:
    with pytest.raises(LoadError, match="takes no options, found temperature"):
        transcript(temperature=0)


def test_a_missing_file_names_the_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MissingCassette, match="pytest-agentops import") as error:
        load(tmp_path / "cassettes" / "a")
    assert str(error.value).startswith("cassettes/a/transcript.yaml: there is no transcript to play")


GOOD = transcript_text(document.write(FULL.as_json()))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("format: 2\nmessages: []\n", ":1: the transcript is out of shape: format 2 is not known"),
        ("format: 1\nmessages: hello\n", ":2: the transcript is out of shape: `messages` must be a list"),
        ("format: 1\nmessages:\n- role: user\n- role: robot\n", ":4: the transcript is out of shape: unknown role 'robot'"),
        ("format: 1\noutcome: complete\nmessages: []\n", "did you mean 'completed'?"),
        ("format: 1\nmessages:\n- role: assistant\n  cost_usd: cheap\n", ":4: the transcript is out of shape: expected a cost"),
        (
            "format: 1\nmessages:\n- role: assistant\n  calls:\n  - tool: 7\n",
            ":5: the transcript is out of shape: `tool` must be",
        ),
        ("format: 1\nmessages:\n- role: assistant\n  usage: {input: -1}\n", "expected a count of tokens, found -1"),
        ("format: 1\nformat: 1\n", ":2: the transcript is no YAML"),
        ("- 1\n", "expected a mapping, found a list"),
        ("", "expected a mapping, found null"),
        (GOOD[: len(GOOD) // 2].rpartition("\n")[0] + "\n", "the transcript is cut off"),
    ],
)
def test_a_damaged_file_says_where(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(CassetteError) as error:
        load(write(tmp_path, text))
    assert says in str(error.value)
    assert "transcript.yaml" in str(error.value)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "transcript.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(CassetteError, match="cannot be read"):
        load(tmp_path)


texts = st.text(st.characters(codec="utf-8"), max_size=20)
costs = st.none() | st.decimals(0, 1000, places=18).map(lambda d: d.normalize() if d else Decimal(0))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts, lambda inner: st.lists(inner, max_size=3), max_leaves=5
)
asked = st.builds(
    Asked, tool=st.text("abc._", min_size=1), args=st.dictionaries(texts, json_values, max_size=3), id=st.none() | texts
)
usages = st.none() | st.builds(Usage, input=st.integers(0, 10**9), output=st.integers(0, 10**9))
messages = st.builds(
    Message,
    role=st.sampled_from(["system", "developer", "user", "assistant"]),
    content=st.none() | texts,
    calls=st.lists(asked, max_size=3).map(tuple),
    usage=usages,
    cost_usd=costs,
)


@given(
    st.builds(
        Transcript,
        messages=st.lists(messages, max_size=5).map(tuple),
        case=texts,
        source_id=texts,
        source_trial=st.integers(1, 9),
        model=st.none() | texts,
        outcome=st.sampled_from(["completed", "error"]),
        agent_cost_usd=costs,
    )
)
def test_what_is_written_is_what_is_read(recorded: Transcript) -> None:
    back = from_json(document.read(transcript_text(document.write(recorded.as_json())), file="t").value)
    assert back == recorded
