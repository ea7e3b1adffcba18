"""The options of the agent, as YAML writes them: checked when cases are collected, all mistakes at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ...errors import LoadError
from ...schema.suggest import did_you_mean
from ...schema.values import JsonObject

ROLES = ("system", "developer", "user", "assistant", "tool")
OURS = ("model", "messages", "input", "tools", "stream")
"""Keys of a request that `extra_body` may not replace: they are the loop itself."""

_ELSEWHERE = {
    "model": "it is a field of the case: `model: gpt-4o-mini`",
    "prompt": "it is a field of the case: `prompt: ./system.md`",
    "system": "the system message is the case's `prompt:`",
    "instructions": "the system message is the case's `prompt:`",
    "tools": "it is a field of the case",
    "max_steps": "it is a limit of the case: `budget: {steps: 8}`",
    "max_turns": "it is a limit of the case: `budget: {steps: 8}`",
    "steps": "it is a limit of the case: `budget: {steps: 8}`",
    "api_key": "set OPENAI_API_KEY in the environment; a key never stands in a file",
    "max_completion_tokens": "write `extra_body: {max_completion_tokens: 200}`",
    "max_output_tokens": "write `max_tokens`",
    "reasoning_effort": "write `extra_body: {reasoning_effort: low}`",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the agent asks its model."""

    strategy: str = "tools"
    api: str = "chat"
    base_url: str | None = None
    is_async: bool = False
    stream: bool = False
    include_usage: bool = True
    """Whether a stream of chat completions is asked for its usage; a few servers do not know the word."""
    timeout: float = 120
    max_retries: int = 2
    sampling: JsonObject = field(default_factory=dict)
    """temperature, top_p, seed, max_tokens, parallel_tool_calls: those that were given."""
    extra_body: JsonObject = field(default_factory=dict)
    examples: tuple[JsonObject, ...] = ()
    describe: bool = True
    """json_schema: whether the system message says what tools there are, and how to answer."""
    reply: bool | JsonObject = True
    """json_schema: whether the model may answer with a reply, or the schema of that reply."""
    step: Callable[..., Any] | None = None
    """From Python only: what the model may do next."""

    @property
    def in_parallel(self) -> bool:
        """Whether several calls of one answer run at once."""
        return self.sampling.get("parallel_tool_calls") is not False


@dataclass(frozen=True, slots=True)
class _Kind:
    """What an option may be."""

    words: str
    fits: Callable[[Any], bool]


def no_model() -> LoadError:
    """A case that names none cannot run, in any mode."""
    hint = "say `model:` in the case or under `defaults`, or --agent-model on the command line"
    return LoadError("agent openai: no model is named", hint=hint)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def _whole(least: int) -> _Kind:
    return _Kind(f"a whole number from {least} on", lambda v: isinstance(v, int) and not isinstance(v, bool) and v >= least)


def _one_of(*words: str) -> _Kind:
    return _Kind(f"one of {', '.join(words)}", lambda v: v in words)


def _between(low: float, high: float) -> _Kind:
    return _Kind(f"a number from {low:g} to {high:g}", lambda v: _is_number(v) and low <= v <= high)


_BOOLEAN = _Kind("true or false", lambda v: isinstance(v, bool))
_MAPPING = _Kind("a mapping", lambda v: isinstance(v, dict))
_KINDS: Mapping[str, _Kind] = {
    "strategy": _one_of("tools", "json_schema"),
    "api": _one_of("chat", "responses"),
    "base_url": _Kind("a URL", lambda v: isinstance(v, str) and v.startswith(("http://", "https://"))),
    "async": _BOOLEAN,
    "stream": _BOOLEAN,
    "include_usage": _BOOLEAN,
    "temperature": _between(0, 2),
    "top_p": _between(0, 1),
    "seed": _Kind("a whole number", lambda v: isinstance(v, int) and not isinstance(v, bool)),
    "max_tokens": _whole(1),
    "parallel_tool_calls": _BOOLEAN,
    "timeout": _Kind("seconds over 0", lambda v: _is_number(v) and v > 0),
    "max_retries": _whole(0),
    "extra_body": _MAPPING,
    "examples": _Kind("a list of messages", lambda v: isinstance(v, list)),
    "describe": _BOOLEAN,
    "reply": _Kind("true, false or a JSON Schema", lambda v: isinstance(v, (bool, dict))),
    "step": _Kind("a function, given in Python: openai(step=...)", callable),
}
NAMES = tuple(_KINDS)
_SAMPLING = ("temperature", "top_p", "seed", "max_tokens", "parallel_tool_calls")


def read(given: Mapping[str, Any]) -> Options:
    """The options; raises `LoadError` with everything that is wrong with them."""
    given = {("async" if name == "async_" else name): value for name, value in given.items() if value is not None}
    wrong = list(_mistakes(given))
    if wrong:
        raise LoadError("\n".join(f"agent openai: {text}" for text in wrong), ref="openai")
    plain: dict[str, Any] = {name: value if name == "step" else _floats(value) for name, value in given.items()}
    sampling = {name: plain.pop(name) for name in _SAMPLING if name in plain}
    plain["examples"] = tuple(plain.get("examples", ()))
    return Options(is_async=plain.pop("async", False), sampling=sampling, **plain)


def _mistakes(given: Mapping[str, Any]) -> Iterator[str]:
    for name, value in given.items():
        kind = _KINDS.get(name)
        if kind is None:
            hint = _ELSEWHERE.get(name) or did_you_mean(name, NAMES) or f"expected one of {', '.join(NAMES[:-1])}"
            yield f"unknown option {name!r}; {hint}"
        elif not kind.fits(value):
            yield f"{name}: expected {kind.words}, found {_shown(value)}"
    yield from _contradictions(given)
    if isinstance(given.get("examples"), list):
        yield from _wrong_examples(given["examples"], given.get("api") == "responses")


def _contradictions(given: Mapping[str, Any]) -> Iterator[str]:
    """Options that would be sent and ignored, or refused by the server in words that help nobody."""
    if given.get("api") == "responses" and "seed" in given:
        yield "seed: the Responses API has none; leave it out, or use `api: chat`"
    if given.get("strategy") == "json_schema":
        if "parallel_tool_calls" in given:
            yield "parallel_tool_calls: with `strategy: json_schema` the model takes one action at a time"
    else:
        for name in ("describe", "reply"):
            if name in given:
                yield f"{name}: it is for `strategy: json_schema`"
    extra = given.get("extra_body")
    if isinstance(extra, dict):
        yield from (f"extra_body: {name!r} is set by the agent itself" for name in OURS if name in extra)


def _wrong_examples(examples: Sequence[Any], responses: bool) -> Iterator[str]:
    for number, message in enumerate(examples, start=1):
        where = f"examples: message {number}"
        if not isinstance(message, dict):
            yield f"{where}: expected a mapping with role and content, found {_shown(message)}"
        elif message.get("role") not in ROLES:
            yield f"{where}: expected a role, one of {', '.join(ROLES)}, found {_shown(message.get('role'))}"
        elif "content" not in message and "tool_calls" not in message:
            yield f"{where}: it has no content"
        elif responses and message.keys() - {"role", "content"}:
            yield f"{where}: with `api: responses` an example has role and content only"


def _floats(value: Any) -> Any:
    """The value for a request: decimals as floats, since the client's own JSON knows none."""
    if isinstance(value, dict):
        return {key: _floats(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_floats(inner) for inner in value]
    return float(value) if isinstance(value, Decimal) else value


def _shown(value: object) -> str:
    return "null" if value is None else "a mapping" if isinstance(value, dict) else repr(value)
