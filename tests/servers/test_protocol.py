"""The protocol server is read by the real clients, and misbehaves as told."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import anthropic
import openai
import pytest

from .protocol import ProtocolServer, Usage, call, fail, html, overflow, raw, say, too_many, use_tools

USAGE = Usage(input=20, output=9, cached=8, cache_write=2, reasoning=3)
ASK = [{"role": "user", "content": "hi"}]


def chat(server: ProtocolServer, **more: object) -> openai.OpenAI:
    return openai.OpenAI(base_url=server.url + "/v1", api_key="k", **more)  # type: ignore[arg-type]


def test_chat_plain_and_streamed() -> None:
    both = use_tools(call("a", x=1), call("b", y="z"), text="Looking.", usage=USAGE)
    with ProtocolServer([both, both, both, say("Hello there.")]) as server:
        client = chat(server)
        plain = client.chat.completions.create(model="m", messages=ASK)
        assert [one.function.name for one in plain.choices[0].message.tool_calls] == ["a", "b"]
        assert plain.usage.prompt_tokens_details.cached_tokens == 8
        assert plain.usage.completion_tokens_details.reasoning_tokens == 3
        with client.chat.completions.stream(model="m", messages=ASK, stream_options={"include_usage": True}) as stream:
            final = stream.get_final_completion()
        assert [one.function.arguments for one in final.choices[0].message.tool_calls] == ['{"x": 1}', '{"y": "z"}']
        assert final.usage.total_tokens == 29
        chunks = list(client.chat.completions.create(model="m", messages=ASK, stream=True))
        assert not any(chunk.usage for chunk in chunks)
        assert client.chat.completions.create(model="m", messages=ASK).choices[0].message.content == "Hello there."
        assert server.count == 4
        assert server.requests[1].json["stream"] is True
        assert server.requests[0].headers["authorization"] == "Bearer k"


def test_responses_plain_and_streamed() -> None:
    both = use_tools(call("a", x=1), text="Looking.", usage=USAGE)
    with ProtocolServer([both, both]) as server:
        client = chat(server)
        plain = client.responses.create(model="m", input="hi")
        assert plain.output_text == "Looking."
        assert plain.usage.input_tokens_details.cached_tokens == 8
        with client.responses.stream(model="m", input="hi") as stream:
            final = stream.get_final_response()
        assert final.output_text == "Looking."
        assert final.output[1].arguments == '{"x": 1}'
        assert final.usage.output_tokens_details.reasoning_tokens == 3


def test_messages_plain_and_streamed() -> None:
    both = use_tools(call("a", x=1), text="Looking.", usage=USAGE)
    with ProtocolServer([both, both]) as server:
        client = anthropic.Anthropic(base_url=server.url, api_key="k")
        plain = client.messages.create(model="m", max_tokens=9, messages=ASK)
        assert plain.content[1].input == {"x": 1}
        assert (plain.usage.input_tokens, plain.usage.cache_read_input_tokens, plain.usage.cache_creation_input_tokens) == (
            10,
            8,
            2,
        )
        with client.messages.stream(model="m", max_tokens=9, messages=ASK) as stream:
            final = stream.get_final_message()
        assert final.content[0].text == "Looking."
        assert final.content[1].input == {"x": 1}
        assert final.usage.output_tokens == 9


def test_embeddings() -> None:
    with ProtocolServer([say(""), say("")]) as server:
        made = chat(server).embeddings.create(model="m", input=["aaaaaaaa", "b"])
        assert [one.embedding for one in made.data] == [[1.0, 0.5, -0.25], [0.125, 0.5, -0.25]]
        made = chat(server).embeddings.create(model="m", input="aaaaaaaa", encoding_format="float")
        assert made.data[0].embedding == [1.0, 0.5, -0.25]


def test_it_misbehaves() -> None:
    script = [
        too_many(),
        fail(500, x_should_retry="false"),
        overflow(),
        html(),
        say("zipped").but(gzip=True),
        say("z").but(gzip=True),
    ]
    with ProtocolServer([*script, say("cut off here").but(cut=2), say("gone").but(drop=True)]) as server:
        client = chat(server, max_retries=0)
        with pytest.raises(openai.RateLimitError) as limited:
            client.chat.completions.create(model="m", messages=ASK)
        assert limited.value.response.headers["retry-after"] == "1"
        with pytest.raises(openai.InternalServerError, match="the server had an error"):
            client.chat.completions.create(model="m", messages=ASK)
        with pytest.raises(openai.BadRequestError) as long:
            client.chat.completions.create(model="m", messages=ASK)
        assert long.value.code == "context_length_exceeded"
        assert client.chat.completions.with_raw_response.create(model="m", messages=ASK).text.startswith("<html>")
        assert client.chat.completions.create(model="m", messages=ASK).choices[0].message.content == "zipped"
        assert len(list(client.chat.completions.create(model="m", messages=ASK, stream=True))) == 3
        with pytest.raises(openai.APIConnectionError):
            list(client.chat.completions.create(model="m", messages=ASK, stream=True))
        with pytest.raises(openai.APIConnectionError):
            client.chat.completions.create(model="m", messages=ASK)
        assert server.count == 8


def test_a_script_that_ends_or_is_a_function() -> None:
    with ProtocolServer([]) as server, pytest.raises(openai.BadRequestError, match="no answer for request 1"):
        chat(server).chat.completions.create(model="m", messages=ASK)
    with ProtocolServer(lambda body: say(body["messages"][0]["content"].upper())) as server:
        assert chat(server).chat.completions.create(model="m", messages=ASK).choices[0].message.content == "HI"


def test_a_process_of_its_own() -> None:
    with ProtocolServer(["one", raw("moved", status=302, location="/there"), "three"], process=True) as server:
        request = urllib.request.Request(server.url + "/v1/chat/completions", json.dumps({"model": "m"}).encode())
        assert b"one" in urllib.request.urlopen(request).read()
        assert json.loads(urllib.request.urlopen(server.url + "/go?a=1").read()) == {"path": "/there", "text": "three"}
        assert [(one.method, one.path, one.query) for one in server.requests] == [
            ("POST", "/v1/chat/completions", ""),
            ("GET", "/go", "a=1"),
            ("GET", "/there", ""),
        ]
        server.stop()
        with pytest.raises(urllib.error.URLError):
            urllib.request.urlopen(server.url)
