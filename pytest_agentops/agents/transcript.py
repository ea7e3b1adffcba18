"""The agent `transcript`: plays a recorded assistant's decisions through the whole guard, with tool answers from the cassette.

What the guard stops stays stopped, and the recorded conversation goes on as it went: a policy is tested against what really
happened, not against what an assistant would have done instead.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CaseFileError, CassetteError, LoadError, MissingCassette
from ..schema.transcript import Message, NotATranscript, Transcript, from_json, is_cut_off
from ..schema.values import dumps

if TYPE_CHECKING:
    from ..runner.session import Session
    from ..runner.task import Task
    from ..tools.toolbox import Toolbox

FILE = "transcript.yaml"
CURE = "import the run: pytest-agentops import transcripts.jsonl --suite NAME"


def transcript(**options: object) -> Callable[[Task, Toolbox], str | None]:
    """The agent; it takes no options."""
    if options:
        raise LoadError(f"the agent 'transcript' takes no options, found {', '.join(sorted(options))}", ref="transcript")

    def agent(task: Task, tools: Toolbox) -> str | None:
        return play(load(task.session.folder), task, tools)

    agent.plays_user = True  # type: ignore[attr-defined]  # the whole conversation comes from the file, the user's part too
    return agent


def load(folder: Path) -> Transcript:
    """The folder's transcript; raises `CassetteError` with file and line where it is missing or out of shape."""
    from ..schema.document import read

    path = folder / FILE
    name = _shown(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise MissingCassette("there is no transcript to play", path=name, cure=CURE) from None
    except (OSError, UnicodeDecodeError) as problem:
        raise CassetteError(f"the transcript cannot be read: {problem}", path=name, cure=CURE) from None
    if is_cut_off(text):
        last = text.count("\n") + 1
        raise CassetteError("the transcript is cut off: its last line is not ...", path=name, line=last, cure=CURE)
    try:
        document = read(text, file=name)
    except CaseFileError as problem:
        first = problem.mistakes[0]
        raise CassetteError(f"the transcript is no YAML: {first.found}", path=name, line=first.line, cure=CURE) from None
    try:
        return from_json(document.value)
    except NotATranscript as problem:
        line, _ = document.position(problem.path)
        raise CassetteError(f"the transcript is out of shape: {problem}", path=name, line=line, cure=CURE) from None


def _shown(path: Path) -> str:
    try:
        return os.path.relpath(path).replace(os.sep, "/")
    except ValueError:  # another drive
        return path.as_posix()


def play(recorded: Transcript, task: Task, tools: Toolbox) -> str | None:
    """Every message in its order; the last assistant text is the output."""
    session = task.session
    session.stated_cost = recorded.agent_cost_usd
    output: str | None = None
    for message in recorded.messages:
        if message.role == "user":
            session.user(message.content or "")
        elif message.role == "assistant":
            output = message.content or output
            _decide(message, recorded.model, session, tools)
        else:
            session.record_message({"role": message.role, "content": message.content})
    if recorded.outcome != "completed":
        session.finish(recorded.outcome, f"the recorded run ended as {recorded.outcome}")
    return output


def _decide(message: Message, model: str | None, session: Session, tools: Toolbox) -> None:
    """One step: what it cost, what it said, the calls it asked for together, in the order of issue."""
    session.answered(message.usage, message.cost_usd, model)
    if message.content:
        session.say(message.content)
    if message.calls:
        session.record_message({"role": "assistant", "content": None, "tool_calls": _chat_form(message)})
    for asked in message.calls:
        tools.attempt(asked.tool, dict(asked.args))


def _chat_form(message: Message) -> list[dict[str, object]]:
    return [
        {
            "id": asked.id or f"call_{number}",
            "type": "function",
            "function": {"name": asked.tool, "arguments": dumps(asked.args)},
        }
        for number, asked in enumerate(message.calls, start=1)
    ]
