"""Real clients, live and in replay: what they saw is equal to the byte, and in replay nothing arrives at the server."""

from __future__ import annotations

import asyncio
import http.client
import json
import urllib.request
from collections.abc import Callable
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import anthropic
import httpx
import httpx2
import openai
import pytest
import requests
import urllib3

from pytest_agentops.tape.model.tap import tapped

from ...servers.protocol import ProtocolServer, Usage, call, use_tools
from ...servers.traffic import Heard, Replayed

ASK: Any = [{"role": "user", "content": "Where is my order?"}]
TOOLS: Any = [{"type": "function", "function": {"name": "a", "parameters": {"type": "object", "properties": {}}}}]
ANSWER = use_tools(
    call("a", x=1), call("b", y="zä"), text="Looking – ☃", usage=Usage(input=20, output=9, cached=8, cache_write=2, reasoning=3)
)
BODY = {"model": "m", "messages": ASK}


def openai_client(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=url + "/v1", api_key="k")


def chat(url: str) -> Any:
    made = openai_client(url).chat.completions.with_raw_response.create(model="m", messages=ASK, tools=TOOLS, temperature=0)
    return made.content, made.parse().model_dump()


def chat_stream(url: str) -> Any:
    stream = openai_client(url).chat.completions.create(
        model="m", messages=ASK, stream=True, stream_options={"include_usage": True}
    )
    return [chunk.model_dump() for chunk in stream]


def chat_stream_raw(url: str) -> Any:
    with openai_client(url).chat.completions.with_streaming_response.create(model="m", messages=ASK, stream=True) as answer:
        return b"".join(answer.iter_bytes())


def responses(url: str) -> Any:
    return openai_client(url).responses.create(model="m", input="hi").model_dump()


def responses_stream(url: str) -> Any:
    with openai_client(url).responses.stream(model="m", input="hi") as stream:
        return [event.model_dump(warnings=False) for event in stream]


def embeddings(url: str) -> Any:
    return openai_client(url).embeddings.create(model="m", input=["a", "bb"]).model_dump()


async def chat_async(url: str) -> Any:
    async with openai.AsyncOpenAI(base_url=url + "/v1", api_key="k") as client:
        plain = await client.chat.completions.create(model="m", messages=ASK)
        stream = await client.chat.completions.create(model="m", messages=ASK, stream=True)
        return plain.model_dump(), [chunk.model_dump() async for chunk in stream]


async def chat_over_aiohttp(url: str) -> Any:
    async with openai.AsyncOpenAI(base_url=url + "/v1", api_key="k", http_client=openai.DefaultAioHttpClient()) as client:
        plain = await client.chat.completions.create(model="m", messages=ASK)
        stream = await client.chat.completions.create(model="m", messages=ASK, stream=True)
        return plain.model_dump(), [chunk.model_dump() async for chunk in stream]


def messages(url: str) -> Any:
    client = anthropic.Anthropic(base_url=url, api_key="k")
    return client.messages.create(model="m", max_tokens=9, messages=ASK).model_dump()


def messages_stream(url: str) -> Any:
    with anthropic.Anthropic(base_url=url, api_key="k").messages.stream(model="m", max_tokens=9, messages=ASK) as stream:
        return [event.model_dump() for event in stream]


async def messages_async(url: str) -> Any:
    async with anthropic.AsyncAnthropic(base_url=url, api_key="k") as client:
        plain = await client.messages.create(model="m", max_tokens=9, messages=ASK)
        stream = await client.messages.create(model="m", max_tokens=9, messages=ASK, stream=True)
        return plain.model_dump(), [event.model_dump() async for event in stream]


def with_requests(url: str) -> Any:
    plain = requests.post(url + "/v1/chat/completions", json=BODY)
    streamed = requests.post(url + "/v1/chat/completions", json={**BODY, "stream": True}, stream=True)
    return plain.status_code, plain.content, plain.json(), list(streamed.iter_lines())


def with_urllib3(url: str) -> Any:
    pool = urllib3.PoolManager()
    plain = pool.request("POST", url + "/v1/chat/completions", json=BODY)
    streamed = pool.request("POST", url + "/v1/chat/completions", json={**BODY, "stream": True}, preload_content=False)
    return plain.status, plain.data, b"".join(streamed.stream(100, decode_content=True))


def with_httpx(url: str, library: Any = httpx) -> Any:
    with library.Client() as client:
        plain = client.post(url + "/v1/chat/completions", json=BODY, params={"api-version": "1"})
        with client.stream("POST", url + "/v1/chat/completions", json={**BODY, "stream": True}) as streamed:
            return plain.status_code, plain.content, list(streamed.iter_lines())


def with_httpx2(url: str) -> Any:
    return with_httpx(url, httpx2)


async def with_httpx_async(url: str, library: Any = httpx) -> Any:
    async with library.AsyncClient() as client:
        plain = await client.post(url + "/v1/chat/completions", json=BODY)
        async with client.stream("POST", url + "/v1/chat/completions", json={**BODY, "stream": True}) as streamed:
            return plain.status_code, plain.content, [line async for line in streamed.aiter_lines()]


async def with_httpx2_async(url: str) -> Any:
    return await with_httpx_async(url, httpx2)


async def with_aiohttp(url: str) -> Any:
    async with aiohttp.ClientSession(base_url=url) as session:
        async with session.post("/v1/chat/completions", json=BODY) as plain:
            seen = plain.status, await plain.json(), await plain.read(), await plain.text()
        async with session.post("/v1/chat/completions", json={**BODY, "stream": True}) as streamed:
            lines = [line async for line in streamed.content]
        form = aiohttp.FormData({"model": "m", "purpose": "x"})
        form.add_field("file", b"abc", filename="a.txt")
        async with session.post("/v1/files", data=form) as sent:
            return seen, lines, await sent.read()


def with_urllib(url: str) -> Any:
    request = urllib.request.Request(
        url + "/v1/chat/completions", json.dumps(BODY).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:
        return answer.status, answer.read()


def with_http_client(url: str) -> Any:
    with closing(http.client.HTTPConnection(urlsplit(url).netloc)) as connection:
        return asked_twice(connection)


def asked_twice(connection: http.client.HTTPConnection) -> Any:
    connection.connect()
    connection.request("POST", "/v1/chat/completions", json.dumps(BODY), {"content-type": "application/json"})
    first = connection.getresponse().read()
    data = json.dumps({**BODY, "stream": True}).encode()
    connection.putrequest("POST", "/v1/chat/completions")
    connection.putheader("content-type", "application/json")
    connection.putheader("content-length", str(len(data)))
    connection.endheaders()
    connection.send(data[:5])
    connection.send(data[5:])
    return first, connection.getresponse().read()


CLIENTS: list[Callable[[str], Any]] = [
    chat,
    chat_stream,
    chat_stream_raw,
    responses,
    responses_stream,
    embeddings,
    chat_async,
    chat_over_aiohttp,
    messages,
    messages_stream,
    messages_async,
    with_requests,
    with_urllib3,
    with_httpx,
    with_httpx2,
    with_httpx_async,
    with_httpx2_async,
    with_aiohttp,
    with_urllib,
    with_http_client,
]
ZIPPED = [chat_stream, chat_over_aiohttp, messages_stream, *CLIENTS[CLIENTS.index(with_requests) :]]
RAW_GZIP = {with_urllib, with_http_client}
"""They hand out compressed bytes as they came: what they see is what a recording keeps, decompressed."""


def seen_by(client: Callable[[str], Any], url: str) -> Any:
    seen = client(url)
    return asyncio.run(seen) if asyncio.iscoroutine(seen) else seen


@pytest.mark.parametrize(
    ("client", "gzip"),
    [
        *(pytest.param(one, False, id=one.__name__) for one in CLIENTS),
        *(pytest.param(one, True, id=f"{one.__name__}-gzip") for one in ZIPPED),
    ],
)
def test_replay_is_what_was_seen_live(client: Callable[[str], Any], gzip: bool) -> None:
    script = [ANSWER.but(gzip=gzip)] * 6
    with ProtocolServer(script) as server:
        untapped = seen_by(client, server.url)
    with ProtocolServer(script) as server:
        heard = Heard()
        with tapped(heard):
            live = seen_by(client, server.url)
        sent = [(one.method, one.path) for one in server.requests]
        assert sent == [(one.request.method, one.request.path) for one in heard.exchanges]
        assert not heard.lost
        assert [one.body for one in server.requests] == [one.request.body for one in heard.exchanges]
        for exchange in heard.exchanges:
            assert exchange.request.endpoint == server.url
            assert {name for name, _ in exchange.response.headers} == {"content-type"}

        replayed = Replayed(heard)
        with tapped(replayed):
            again = seen_by(client, server.url)
        assert server.count == len(sent)
    assert not replayed.left
    if gzip and client in RAW_GZIP:
        assert again[-1] == heard.exchanges[-1].response.body
    else:
        assert live == again
        assert untapped == again


def test_the_body_is_kept_as_the_client_reads_it() -> None:
    with ProtocolServer([ANSWER.but(gzip=True)]) as server:
        heard = Heard()
        with tapped(heard):
            seen = requests.post(server.url + "/v1/chat/completions", json=BODY)
        assert seen.headers["content-encoding"] == "gzip"
    assert heard.exchanges[0].response.body == seen.content
    assert heard.exchanges[0].response.body.startswith(b'{"id"')


def test_replay_needs_no_server_and_no_name() -> None:
    with ProtocolServer([ANSWER] * 2) as server:
        heard = Heard()
        with tapped(heard):
            live = [with_urllib(server.url), chat(server.url)]
    with tapped(Replayed(heard)):
        assert [with_urllib("https://agentops.invalid"), chat("https://agentops.invalid:444")] == live
