"""The openai SDK's only home: a request's body goes in, the answer's JSON comes out.

A client lives for one turn. Its address and key are the SDK's own business (``OPENAI_BASE_URL``, ``OPENAI_API_KEY``), and so are
its retries and its streams; what went wrong is told in words that help.
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import lru_cache
from typing import Any

from ...errors import AgentOpsError, LoadError
from ...schema.values import JsonObject
from .options import Options
from .reply import ModelError, no_answer

CONNECT = 10.0
"""Seconds to reach a server at all."""
KIND = {"chat": "chat completion", "responses": "response"}


@contextmanager
def client(options: Options) -> Iterator[Callable[[JsonObject], JsonObject]]:
    """Asks the model, one request after the other."""
    import openai

    with _made(openai.OpenAI, openai.DefaultHttpxClient, options) as sdk:

        def ask(body: JsonObject) -> JsonObject:
            with _told(sdk):
                answer = _endpoint(sdk, options)(**_arguments(body, options))
                if not options.stream:
                    return _plain(answer, options)
                stream = _Stream(options)
                with answer:
                    for event in answer:
                        stream.add(event)
                return stream.whole()

        yield ask


@asynccontextmanager
async def async_client(options: Options) -> AsyncIterator[Callable[[JsonObject], Awaitable[JsonObject]]]:
    """Like `client`, awaited."""
    import openai

    async with _made(openai.AsyncOpenAI, openai.DefaultAsyncHttpxClient, options) as sdk:

        async def ask(body: JsonObject) -> JsonObject:
            with _told(sdk):
                answer = await _endpoint(sdk, options)(**_arguments(body, options))
                if not options.stream:
                    return _plain(answer, options)
                stream = _Stream(options)
                async with answer:
                    async for event in answer:
                        stream.add(event)
                return stream.whole()

        yield ask


def _made(kind: Any, http_client: Any, options: Options) -> Any:
    import openai

    timeout = openai.Timeout(options.timeout, connect=min(options.timeout, CONNECT))
    settings = {"base_url": options.base_url, "timeout": timeout, "max_retries": options.max_retries}
    try:
        return kind(**settings, http_client=http_client(verify=_certificates(), timeout=timeout))
    except openai.OpenAIError as error:
        raise LoadError(
            "agent openai: there is no key", hint="set OPENAI_API_KEY; for a server that wants none, to any word"
        ) from error


@lru_cache(maxsize=1)
def _certificates() -> Any:
    """The certificates that the SDK's HTTP library trusts, loaded once: it takes longer than a replayed case."""
    import openai

    library = sys.modules[openai.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0]]
    make = getattr(library, "create_ssl_context", None)
    return True if make is None else make()


def _endpoint(sdk: Any, options: Options) -> Any:
    return sdk.responses.create if options.api == "responses" else sdk.chat.completions.create


def _arguments(body: JsonObject, options: Options) -> JsonObject:
    """The body as the SDK's arguments. It looks every message over and over, but leaves alone what is in `extra_body`."""
    conversation = "input" if options.api == "responses" else "messages"
    named = {"model": body["model"], conversation: []} | ({"stream": True} if options.stream else {})
    return {**named, "extra_body": {**body, **options.extra_body}}


def _plain(answer: Any, options: Options) -> JsonObject:
    """The answer as JSON; the SDK gives mere text for a body that says it is no JSON."""
    if not hasattr(answer, "to_dict"):
        raise no_answer(KIND[options.api], answer)
    plain: JsonObject = answer.to_dict(warnings=False)
    return plain


class _Stream:
    """The events of a streamed answer, put together as the SDK does."""

    def __init__(self, options: Options) -> None:
        from openai.lib.streaming.chat import ChatCompletionStreamState

        self._options = options
        self._state: Any = ChatCompletionStreamState()
        self._response: JsonObject | None = None
        self._chunks = 0

    def add(self, event: Any) -> None:
        if self._options.api == "responses":
            if event.type in ("response.completed", "response.incomplete", "response.failed"):
                self._response = event.response.to_dict(warnings=False)
        elif event.object or event.choices:  # Azure's filter results have neither
            self._state.handle_chunk(event)
            self._chunks += 1

    def whole(self) -> JsonObject:
        """The answer as if it had not been streamed; ``broken_off`` where the stream ended too soon."""
        if self._options.api == "responses":
            return self._response or {"output": [], "broken_off": True}
        if not self._chunks:
            return {"choices": [{"message": {}}], "broken_off": True}
        plain: JsonObject = self._state.current_completion_snapshot.to_dict(warnings=False)
        choices = plain.get("choices")
        if not choices or not choices[0].get("finish_reason"):
            plain["broken_off"] = True
        return plain


@contextmanager
def _told(sdk: Any) -> Iterator[None]:
    """Errors of the connection in words that help; what the guard raised, and what the server said, as they are."""
    import openai

    try:
        yield
    except openai.APIConnectionError as error:
        ours = _ours(error)
        if ours is not None:
            raise ours from None
        cause = error.__cause__
        why = f"{type(cause).__name__}: {cause}" if cause is not None else str(error)
        hint = ""
        if isinstance(error, openai.APITimeoutError):
            hint = "; it took longer than the option `timeout` allows"
        elif type(cause).__name__ == "ConnectError":
            hint = "; is the server up, and OPENAI_BASE_URL (or the option base_url) right?"
        raise ModelError(f"no answer from {sdk.base_url} ({why}){hint}") from error
    except (openai.OpenAIError, AgentOpsError):
        raise
    except json.JSONDecodeError as error:
        raise ModelError(f"the answer of {sdk.base_url} is no JSON: {error}") from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in ("httpx", "httpx2", "httpcore", "httpcore2"):
            raise
        raise ModelError(f"the answer of {sdk.base_url} broke off: {type(error).__name__}: {error}") from error


def _ours(error: BaseException | None) -> AgentOpsError | None:
    """What the guard raised inside the client, behind the wrapping of some versions of the SDK."""
    while error is not None:
        if isinstance(error, AgentOpsError):
            return error
        error = error.__cause__
    return None
