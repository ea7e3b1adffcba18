"""The file: what is written, what is read, what is refused and with which words."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agentops.errors import CassetteError, MissingCassette
from pytest_agentops.schema.call import ErrorInfo
from pytest_agentops.tape.cassette import dump, loads, read, record_command
from pytest_agentops.tape.recording import Recording, ToolsCassette

WRITTEN = """\
---
format: 1
case: refunds/small_refund
recorded: {at: 2026-11-22, with: pytest-agentops 0.1.0}
pins:
  model: smollm2
  prompt: sha256:1f2e9c0a4b7d
  policy: null
  tools: {orders.get: "sha256:a", payments.refund: "sha256:b"}
layers: [tools]
clock: 2026-11-22T09:00:00Z
calls:
- tool: orders.get
  args: {order_id: W-1}
  result: {id: W-1, status: delivered, total_usd: 30}
- tool: payments.refund
  args: {order_id: W-1, amount_usd: 39.5, idempotency_key: "<<uuid:1>>"}
  result:
    id: R-1
    note: |
      Mug arrived broken.
      Photo attached.
- tool: orders.get
  args: {order_id: W-1}
  result: {id: W-1, status: refunded, total_usd: 30}
- tool: orders.get
  args: {order_id: W-2}
  error: {type: ToolTimeout, message: ""}
state:
  before:
    orders: {W-1: {status: delivered}}
  after:
    orders: {W-1: {status: refunded}}
...
"""

DESIGN = """\
format: 1
case: refunds/small_refund
recorded: {at: 2026-11-22, with: pytest-agentops 0.1.0}
pins: {model: smollm2-135m, prompt: "sha256:1f2e9c0a4b7d", policy: null, tools: {orders.get: "sha256:aa11bb22cc33"}}
layers: [tools, model]
endpoint: http://127.0.0.1:8080/v1
clock: 2026-11-22T09:00:00Z
calls:                                  # in the order of issue
- tool: orders.get
  args: {order_id: W-1}
  result: {id: W-1, status: delivered, total_usd: 30}
- tool: payments.refund
  args: {order_id: W-1, amount_usd: 30, idempotency_key: "<<uuid:1>>"}
  error: {type: ToolTimeout, message: upstream 504, retryable: true}
state: {before: {orders: {}}, after: {orders: {}}}
"""


def fixed_pins(cassette: ToolsCassette) -> ToolsCassette:
    pins = replace(cassette.pins, tools={"payments.refund": "sha256:b", "orders.get": "sha256:a"})
    return replace(cassette, pins=pins)


def test_what_is_written(cassette: ToolsCassette) -> None:
    assert dump(fixed_pins(cassette)) == WRITTEN


def test_what_was_written_is_read_back(cassette: ToolsCassette) -> None:
    again = loads(dump(cassette), file="x/tools.yaml")
    assert again.as_json() == cassette.as_json()
    assert again.calls[3].error == ErrorInfo(type="ToolTimeout")
    assert dump(again) == dump(cassette)


def test_the_design_example_is_read() -> None:
    found = loads(DESIGN, file="tools.yaml")
    assert found.layers == ("tools", "model")
    assert found.endpoint == "http://127.0.0.1:8080/v1"
    assert found.recorded_at == "2026-11-22"
    assert found.pins.model == "smollm2-135m"
    assert found.calls[1].error == ErrorInfo(type="ToolTimeout", message="upstream 504", retryable=True)
    assert [found.place(call) for call in found.calls] == ["tools.yaml:9", "tools.yaml:12"]
    assert found.has_state
    assert found.state_after == {"orders": {}}


def test_an_empty_run_is_written_and_read() -> None:
    text = dump(ToolsCassette(case="a/b"))
    assert "calls: []" in text
    assert loads(text, file="").calls == []


def test_null_state_is_a_state() -> None:
    found = loads("format: 1\ncalls: []\nstate: {before: null, after: null}", file="")
    assert found.has_state


def test_windows_line_ends_are_read(cassette: ToolsCassette) -> None:
    assert loads(dump(cassette).replace("\n", "\r\n"), file="").as_json() == cassette.as_json()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(args=st.dictionaries(st.text(min_size=1), json_values, max_size=3), result=json_values)
def test_every_value_survives(args: dict[str, object], result: object) -> None:
    cassette = ToolsCassette(case="s/c", calls=[Recording(tool="t", args=args, result=result)])
    assert loads(dump(cassette), file="").as_json() == cassette.as_json()


def test_a_cut_file_is_never_another_recording(cassette: ToolsCassette) -> None:
    whole = dump(cassette).encode()
    cuts = {*range(0, len(whole) - 1, 100), *(i + 1 for i, byte in enumerate(whole[:-5]) if byte == 10)}
    for cut in sorted(cuts):
        with pytest.raises(CassetteError) as caught:
            loads(whole[:cut].decode(), file="c/s/x/tools.yaml", cure="again")
        assert "cut off" in str(caught.value), cut
        assert "again" in str(caught.value)


def test_only_the_last_newline_may_be_lost(cassette: ToolsCassette) -> None:
    assert loads(dump(cassette)[:-1], file="").as_json() == cassette.as_json()


def test_a_missing_recording_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(MissingCassette) as caught:
        read(tmp_path / "refunds" / "small_refund" / "tools.yaml", shown="cassettes/refunds/small_refund/tools.yaml")
    assert str(caught.value) == (
        "cassettes/refunds/small_refund/tools.yaml: there is no recording\n"
        "  cure: pytest --agent-evals --agent-record=once -k small_refund"
    )


def test_once_does_not_help_where_the_folder_is(tmp_path: Path) -> None:
    (tmp_path / "small_refund").mkdir()
    with pytest.raises(MissingCassette, match=r"no tools\.yaml in the recording's folder\n.*--agent-record=all -k small_refund"):
        read(tmp_path / "small_refund" / "tools.yaml")


@pytest.mark.parametrize(
    ("folder", "command"),
    [
        ("a_case", "pytest --agent-evals --agent-record=all -k a_case"),
        ("a_case.t3", "pytest --agent-evals --agent-record=all -k a_case"),
        ("a_case~gpt-4o.t2", 'pytest --agent-evals --agent-record=all -k "a_case and gpt-4o"'),
    ],
)
def test_the_command_is_one_that_pytest_takes(folder: str, command: str) -> None:
    assert record_command(folder) == command


def test_a_newer_format_asks_for_an_upgrade() -> None:
    with pytest.raises(CassetteError) as caught:
        loads("case: a/b\nformat: 2\nsomething: new\n", file="x/tools.yaml")
    assert str(caught.value) == (
        "x/tools.yaml:2: has format 2, this version of pytest-agentops reads format 1\n"
        "  cure: upgrade: pip install -U pytest-agentops"
    )


BENT = [
    ("- a list", "tools.yaml:1:1: found a list; a recording is a mapping with format, case and calls"),
    ("format: 1", "tools.yaml:1:1: 'calls' is missing; a recording needs format and calls"),
    ("calls: []", "'format' is missing"),
    ("format: 0\ncalls: []", "tools.yaml:1:1: format is 0; expected 1"),
    ("format: one\ncalls: []", "tools.yaml:1:1: format is a text; expected a whole number"),
    ("format: 1\ncalls: {}", "tools.yaml:2:1: calls is a mapping; expected a list"),
    ("format: 1\ncals: []\ncalls: []", "tools.yaml:2:1: unknown key 'cals'; expected one of format, case"),
    ("format: 1\ncals: []\ncalls: []", "did you mean 'calls'?"),
    ("format: 1\nlayers: [tools, modle]\ncalls: []", 'tools.yaml:2:17: unknown layer "modle"; expected tools or model'),
    ("format: 1\nseed: true\ncalls: []", "tools.yaml:2:1: seed is true or false; expected a whole number or null"),
    (
        "format: 1\nclock: garbage\ncalls: []",
        'tools.yaml:2:1: clock is "garbage"; expected a time of ISO 8601, like 2026-11-22T09:',
    ),
    ("format: 1\nclock: 2026-13-45T00:00:00Z\ncalls: []", "tools.yaml:2:1: clock is"),
    ("format: 1\nclock: ''\ncalls: []", "tools.yaml:2:1: clock is"),
    ("format: 1\nrecorded: {at: soon}\ncalls: []", 'tools.yaml:2:12: at is "soon"; expected a time of ISO 8601, like 2026-11-22'),
    ("format: 1\nrecorded: garbage\ncalls: []", "tools.yaml:2:1: recorded is a text; expected a mapping or null"),
    ("format: 1\nseed: garbage\ncalls: []", "tools.yaml:2:1: seed is a text; expected a whole number or null"),
    ("format: 1\npins: {tools: {a: 1}}\ncalls: []", "tools.yaml:2:16: found a whole number; expected a digest"),
    ("format: 1\npins: {models: x}\ncalls: []", "tools.yaml:2:8: unknown key 'models'"),
    ("format: 1\npins: {model: [1]}\ncalls: []", "expected a text or a list of texts"),
    ("format: 1\nstate: {before: 1}\ncalls: []", "tools.yaml:2:1: 'after' is missing"),
    ("format: 1\ncalls:\n- orders.get", "tools.yaml:3:3: found a text; a call is a mapping"),
    ("format: 1\ncalls:\n- {args: {}, result: 1}", "tools.yaml:3:3: 'tool' is missing; every call needs it"),
    ("format: 1\ncalls:\n- {tool: a, args: {}}", "tools.yaml:3:3: the call has neither result nor error"),
    ("format: 1\ncalls:\n- {tool: a, result: 1, error: {type: x}}", "tools.yaml:3:3: the call has both result and error"),
    ("format: 1\ncalls:\n- {tool: a, resullt: 1}", "tools.yaml:3:13: unknown key 'resullt'; expected one of tool, args, overlap"),
    ("format: 1\ncalls:\n- {tool: a, resullt: 1}", "did you mean 'result'?"),
    ("format: 1\ncalls:\n- {tool: a, args: [], result: 1}", "tools.yaml:3:13: args is a list; expected a mapping or null"),
    ("format: 1\ncalls:\n- {tool: a, result: 1, overlap: 1}", "tools.yaml:3:24: overlap is 1; 0 calls stand before this one"),
    ("format: 1\ncalls:\n- {tool: a, error: timeout}", "tools.yaml:3:13: error is a text; expected a mapping"),
    ("format: 1\ncalls:\n- {tool: a, error: {message: x}}", "tools.yaml:3:13: 'type' is missing"),
    ("format: 1\nformat: 1\ncalls: []", "tools.yaml:2:1: duplicate key 'format'"),
    ("format: 1\ncalls: [", "not valid YAML"),
]


@pytest.mark.parametrize(("text", "wanted"), BENT)
def test_a_file_out_of_shape_says_where_and_what(text: str, wanted: str) -> None:
    with pytest.raises(CassetteError) as caught:
        loads(text, file="tools.yaml", cure="record again")
    assert wanted in str(caught.value)
    assert str(caught.value).endswith("cure: correct the file, or record again")


def test_all_mistakes_at_once() -> None:
    text = "format: 1\ncalls:\n- {tool: a}\n- {tool: b, resul: 1}\n"
    with pytest.raises(CassetteError) as caught:
        loads(text, file="tools.yaml")
    assert [line.split(": ")[0].strip() for line in str(caught.value).splitlines()] == [
        "tools.yaml:3:3",
        "tools.yaml:4:13",
        "cure",
    ]
    assert (caught.value.line, caught.value.col) == (3, 3)


def test_no_utf8_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "a" / "tools.yaml"
    path.parent.mkdir()
    path.write_bytes(b"format: 1\ncase: \xff\n")
    with pytest.raises(CassetteError, match=r"tools\.yaml:2: is no UTF-8 text\n  cure: pytest .* -k a, or take the file back"):
        read(path)


def test_a_recording_of_another_case_is_refused(tmp_path: Path, cassette: ToolsCassette) -> None:
    path = tmp_path / "tools.yaml"
    path.write_text(dump(cassette), encoding="utf-8")
    assert read(path, case="refunds/small_refund").calls
    with pytest.raises(CassetteError, match=r"tools\.yaml:3: is a recording of 'refunds/small_refund', not of 'refunds/other'"):
        read(path, case="refunds/other")


def test_a_folder_in_the_file_s_place(tmp_path: Path) -> None:
    (tmp_path / "tools.yaml").mkdir()
    with pytest.raises(CassetteError, match="cannot be read"):
        read(tmp_path / "tools.yaml")


def test_a_small_file_of_another_hand_keeps_its_texts() -> None:
    text = textwrap.dedent("""\
        format: 1
        calls:
        - tool: a
          result: {country: NO, day: 2026-01-01, version: "1.10", plain: 1e3, yes: yes}
    """)
    found = loads(text, file="").calls[0].result
    assert found == {"country": "NO", "day": "2026-01-01", "version": "1.10", "plain": 1000, "yes": "yes"}
