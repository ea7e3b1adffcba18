"""Every body comes back to the byte, and the usual ones are readable."""

from __future__ import annotations

import json
import zlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_agentops.schema import document
from pytest_agentops.schema.values import JsonObject
from pytest_agentops.tape.model.bodies import plain_value, to_bytes, to_value
from pytest_agentops.tape.model.stream import events_json, stream_text

JSON, SSE = "application/json", "text/event-stream; charset=utf-8"


def back(body: bytes, content_type: str) -> JsonObject:
    """The form of a body, after it was shown to survive being written and read."""
    form = to_value(body, content_type)
    assert to_bytes(form) == body
    read = document.read(document.write(form), file="").value
    assert to_bytes(read) == body
    assert read == form
    return form


CHAT = {
    "id": "c1",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Größe <b>1/2</b> & 😀"}}],
    "n": [1, 1.0, {}],
}
ASCII, UTF8 = json.dumps(CHAT, separators=(",", ":")), json.dumps(CHAT, ensure_ascii=False, separators=(",", ":"))


@pytest.mark.parametrize(
    ("text", "style"),
    [
        (UTF8, None),
        (json.dumps(CHAT, ensure_ascii=False), "spaced"),
        (ASCII, "ascii"),
        (json.dumps(CHAT), "spaced ascii"),
        (json.dumps(CHAT, ensure_ascii=False, indent=2) + "\n", "indent-2 newline"),
        (json.dumps(CHAT, indent=4), "indent-4 ascii"),
        (UTF8.replace("/", "\\/"), "slash"),
        (UTF8.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"), "html"),
        (ASCII.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026").replace("/", "\\/"), "html slash ascii"),
        ('{"a":"\\u0000 \\u001f"}', None),
        ('{"a":"\u2028 \u2029 \x85 \x7f"}', None),
        ("[]\n", "newline"),
        ('{"a":12345678901234567890123,"b":-0.0,"c":1e-05,"d":1e+16}', None),
    ],
)
def test_json_in_its_styles(text: str, style: str | None) -> None:
    form = back(text.encode(), JSON)
    assert form == {"json": json.loads(text), **({"style": style} if style else {})}


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":2}',
        '{"a":NaN}',
        '{"a":Infinity}',
        '{"a":1.10}',
        '{"a":1e5}',
        '{"a":-0}',
        '{"a":1e400}',
        '{"a":1e999999999}',
        '{"a":0.12345678901234567890}',
        '{"a":' + "9" * 1001 + "}",
        '{"a":' + "9" * 5000 + "}",
        '{"a":"\\ud800"}',
        '{"\\udfff":1}',
        '{"a":"\\u00E9"}',
        '{"a":"\\u0061"}',
        '{"a" :1}',
        ' {"a":1}',
        '{"a":1}\r\n',
        '{\n   "a": 1\n}',
        '\ufeff{"a":1}',
        '{"a":1',
        "<html>502 Bad Gateway</html>\r\n",
        "not JSON at all",
        "[" * 81 + "]" * 81,
        "[" * 100_000,
        "a\x00b\r\nc\td  \n\n",
    ],
)
@pytest.mark.parametrize("content_type", [JSON, ""])
def test_what_no_style_gives_back_stays_text(text: str, content_type: str) -> None:
    assert back(text.encode(), content_type) == {"text": text}


def test_json_may_be_as_deep_as_yaml_reads() -> None:
    assert back(b"[" * 80 + b"]" * 80, JSON).keys() == {"json"}


@pytest.mark.parametrize(
    "body", [b"\xff\xfe{}", zlib.compress(UTF8.encode() * 9, wbits=31), bytes(range(256)), b'{"a":"\xed\xa0\x80"}']
)
def test_what_is_no_text_is_base64(body: bytes) -> None:
    assert back(body, JSON).keys() == {"base64"}
    assert plain_value(body).keys() == {"base64"}


def test_an_empty_body_says_nothing() -> None:
    assert back(b"", JSON) == {}
    assert plain_value(b"") == {}


def test_a_wrong_base64_is_an_error() -> None:
    with pytest.raises(ValueError):
        to_bytes({"base64": "a*"})


# ---- streams

CHAT_STREAM = """\
data: {"id":"c1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}

data: {"id":"c1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Hi"}}]}

data: {"id":"c1","object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":3}}

data: [DONE]

"""
RESPONSES = """\
event: response.created
data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","output":[]}}

event: response.output_text.delta
data: {"type":"response.output_text.delta","sequence_number":1,"delta":"H"}

event: response.output_text.delta
data: {"type":"response.output_text.delta","sequence_number":2,"delta":"i"}

"""
ANTHROPIC = """\
event: message_start
data: {"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":3}}   }

event: ping
data: {"type": "ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}            }

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"!"} }

event: message_stop
data: {"type":"message_stop"        }

"""


def test_a_chat_stream_says_what_changes() -> None:
    form = back(CHAT_STREAM.encode(), SSE)
    assert form == {
        "events": [
            {
                "json": {
                    "id": "c1",
                    "object": "chat.completion.chunk",
                    "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}],
                }
            },
            {"change": {"choices": [{"index": 0, "delta": {"content": "Hi"}}]}},
            {"json": {"id": "c1", "object": "chat.completion.chunk", "choices": [], "usage": {"prompt_tokens": 3}}},
            {"data": "[DONE]"},
        ]
    }
    assert events_json(form["events"])[1] == json.loads(CHAT_STREAM.split("\n\n")[1][6:])


def test_a_responses_stream() -> None:
    assert back(RESPONSES.encode(), SSE)["events"] == [
        {
            "event": "response.created",
            "json": {"type": "response.created", "sequence_number": 0, "response": {"id": "resp_1", "output": []}},
        },
        {
            "event": "response.output_text.delta",
            "json": {"type": "response.output_text.delta", "sequence_number": 1, "delta": "H"},
        },
        {"event": "response.output_text.delta", "change": {"sequence_number": 2, "delta": "i"}},
    ]


def test_an_anthropic_stream_with_its_ping_and_padding() -> None:
    form = back(ANTHROPIC.encode(), SSE)
    assert "style" not in form
    assert form["events"][0]["pad"] == 3
    assert form["events"][1:] == [
        {"event": "ping", "json": {"type": "ping"}, "style": "spaced"},
        {
            "event": "content_block_delta",
            "json": {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
            "pad": 12,
        },
        {"event": "content_block_delta", "change": {"delta": {"type": "text_delta", "text": "!"}}, "pad": 1},
        {"event": "message_stop", "json": {"type": "message_stop"}, "pad": 8},
    ]


@pytest.mark.parametrize("stream", [CHAT_STREAM, RESPONSES, ANTHROPIC])
def test_streams_with_other_line_ends_and_blanks(stream: str) -> None:
    usual = back(stream.encode(), SSE)["events"]
    windows = back(stream.replace("\n", "\r\n").encode(), SSE)
    assert windows == {"events": usual, "style": "crlf"}
    tight = back(stream.replace("data: ", "data:").replace("event: ", "event:").encode(), SSE)
    assert tight["style"] == "tight"
    assert [event.get("json") for event in tight["events"]] == [event.get("json") for event in usual]


@pytest.mark.parametrize(
    ("text", "events"),
    [
        ('data: {"a":1}\n\ndata: {"a":', [{"json": {"a": 1}}, {"cut": 'data: {"a":'}]),
        ('data: {"a":1}\n', [{"cut": 'data: {"a":1}\n'}]),
        ('data: {"a":1}\n\n\n', [{"json": {"a": 1}}, {"cut": "\n"}]),
        ('data: {"a":1}\n\n\n\n', [{"json": {"a": 1}}, {"text": ""}]),
        (": OPENROUTER PROCESSING\n\ndata: x\n\n", [{"text": ": OPENROUTER PROCESSING"}, {"data": "x"}]),
        ("id: 1\ndata: a\ndata: b\n\n", [{"text": "id: 1\ndata: a\ndata: b"}]),
        ("event: x\n\n", [{"text": "event: x"}]),
        ("event: x\ndata: \n\n", [{"event": "x", "data": ""}]),
        ("data\n\n", [{"text": "data"}]),
        ("data: a\r\rdata: b\r\r", [{"cut": "data: a\r\rdata: b\r\r"}]),
        ('data: {"a":1,"a":2}\n\n', [{"data": '{"a":1,"a":2}'}]),
        ("data: {   }\n\n", [{"json": {}, "pad": 3}]),
        ("<html>502</html>", [{"cut": "<html>502</html>"}]),
        ('data: {"a": 1}\n\ndata: {"a":1}\n\n', [{"json": {"a": 1}}, {"json": {"a": 1}, "style": "compact"}]),
        ('data: {"a":1}\n\ndata: {"a":1}\n\n', [{"json": {"a": 1}}, {"json": {"a": 1}}]),
        ('data: {"a":1,"b":1}\n\ndata: {"b":1,"a":2}\n\n', [{"json": {"a": 1, "b": 1}}, {"json": {"b": 1, "a": 2}}]),
        ('data: {"a":1,"b":1}\n\ndata: {"a":1.0,"b":1}\n\n', [{"json": {"a": 1, "b": 1}}, {"change": {"a": 1.0}}]),
    ],
)
def test_odd_streams(text: str, events: list[JsonObject]) -> None:
    found = back(text.encode(), SSE)["events"]
    assert found == events
    assert repr(found) == repr(events)  # 1 is not 1.0


def test_a_change_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="there is no mapping of JSON before it"):
        stream_text([{"data": "x"}, {"change": {"a": 1}}], "")


# ---- whatever comes

LETTERS = st.text(st.characters(exclude_categories=("Cs",)) | st.sampled_from('"\\/<>&\u2028\u2029\x85\r\n\0 \t:#'), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | LETTERS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(LETTERS, inner, max_size=3),
    max_leaves=12,
)


@given(VALUES, st.booleans(), st.sampled_from([(",", ":"), (", ", ": ")]), st.sampled_from([None, 1, 2, 4]))
def test_any_json_of_python_is_structured(
    value: object, ascii_only: bool, separators: tuple[str, str], indent: int | None
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, separators=separators if indent is None else None, indent=indent)
    assert back(text.encode(), JSON).keys() <= {"json", "style"}


@given(st.binary(max_size=40) | LETTERS.map(str.encode), st.sampled_from([JSON, SSE, "", "text/plain"]))
@example(b"data: ", SSE)
@example(b"\r\n\r\n", SSE)
def test_any_bytes_come_back(body: bytes, content_type: str) -> None:
    back(body, content_type)
    assert to_bytes(plain_value(body)) == body


FIELDS = ("data:", "data: ", "event: x", "event:x", ": c", "id: 1", "\n", "\r\n", "\n\n", "\r\n\r\n", "\r", " ")
DATA = ("[DONE]", '{"a":1}', '{"a": 1}', '{"a":2,"b":[]}', '{"a":3,"b":[] }', '{"a":"é"}', '{"a":"\\u00e9"}', "}", '"', "é")
PIECES = st.sampled_from((*FIELDS, *DATA))


@given(st.lists(PIECES, max_size=12).map("".join))
def test_any_stream_comes_back(text: str) -> None:
    back(text.encode(), SSE)
