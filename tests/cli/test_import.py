"""From a file of conversations to a suite and its cassettes, through the command."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_agentops.cli.main import main
from pytest_agentops.loading.suite import load_suite
from pytest_agentops.schema.document import read as read_yaml
from pytest_agentops.tape.cassette import read as read_cassette

Import = Callable[..., int]

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_order",
            "description": "Look an order up.",
            "parameters": {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]},
        },
    }
]


def call(name: str, args: dict[str, Any] | str, call_id: str = "c1") -> dict[str, Any]:
    text = args if isinstance(args, str) else json.dumps(args)
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": text}}


def line(run_id: str = "task", /, **more: Any) -> dict[str, Any]:
    """A run of four messages with one tool call."""
    messages = [
        {"role": "user", "content": "Where is order 1?"},
        {"role": "assistant", "content": None, "tool_calls": [call("get_order", {"id": 1})]},
        {"role": "tool", "tool_call_id": "c1", "content": '{"status": "sent"}'},
        {"role": "assistant", "content": "It is on its way."},
    ]
    return {"id": run_id, "messages": messages, **more}


@pytest.fixture
def importing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Import:
    """Write the lines to runs.jsonl and import them as suite `s`."""
    monkeypatch.chdir(tmp_path)

    def run(*lines: dict[str, Any] | str, options: tuple[str, ...] = ()) -> int:
        texts = [text if isinstance(text, str) else json.dumps(text) for text in lines]
        Path("runs.jsonl").write_text("\n".join(texts) + "\n", encoding="utf-8", errors="surrogateescape")
        return main(["import", "runs.jsonl", "--suite", "s", *options])

    return run


def suite() -> dict[str, Any]:
    value: dict[str, Any] = read_yaml(Path("cases/s/s.yaml").read_text(), file="s.yaml").value
    return value


def transcript(folder: str = "task") -> dict[str, Any]:
    value: dict[str, Any] = read_yaml(Path(f"cassettes/s/{folder}/transcript.yaml").read_text(), file="t.yaml").value
    return value


def everything() -> dict[str, bytes]:
    return {p.as_posix(): p.read_bytes() for top in ("cases", "cassettes") for p in Path(top).rglob("*") if p.is_file()}


def test_one_run(importing: Import, capsys: pytest.CaptureFixture[str]) -> None:
    state = {"before": {"n": 1}, "after": {"n": 2}}
    case = {"tags": ["shop"], "expect": {"calls": {"include": ["get_order"]}}}
    assert importing(line(trial=1, model="m-1", tools=TOOLS, state=state, case=case)) == 0
    assert capsys.readouterr().out == (
        "cases/s/s.yaml: 1 case, 1 run; 3 files written\nreplay them: pytest --agent-evals cases/s/s.yaml\n"
    )
    assert suite() == {
        "version": 1,
        "suite": "s",
        "description": "Imported from runs.jsonl: 1 case, 1 recorded run.",
        "agent": "transcript",
        "contracts": {"get_order": {"description": "Look an order up.", "parameters": TOOLS[0]["function"]["parameters"]}},
        "cases": [{"id": "task", "task": "Where is order 1?", "model": "m-1", **case}],
    }
    cassette = read_cassette(Path("cassettes/s/task/tools.yaml"), case="s/task")
    assert [(c.tool, c.args, c.result, c.error) for c in cassette.calls] == [("get_order", {"id": 1}, '{"status": "sent"}', None)]
    assert (cassette.has_state, cassette.state_before, cassette.state_after) == (True, {"n": 1}, {"n": 2})
    assert cassette.pins.model is None
    assert transcript() == {
        "format": 1,
        "case": "s/task",
        "source": {"id": "task", "trial": 1},
        "model": "m-1",
        "outcome": "completed",
        "messages": [
            {"role": "user", "content": "Where is order 1?"},
            {"role": "assistant", "content": None, "calls": [{"id": "c1", "tool": "get_order", "args": {"id": 1}}]},
            {"role": "assistant", "content": "It is on its way."},
        ],
    }


def test_the_suite_is_pleasant_to_read(importing: Import) -> None:
    importing(line("a", tools=TOOLS, model="m"), line("b", tools=TOOLS, model="m"))
    assert Path("cases/s/s.yaml").read_text() == (
        "# yaml-language-server: $schema=../../agentops-case.schema.json\n"
        "version: 1\n"
        "suite: s\n"
        'description: "Imported from runs.jsonl: 2 cases, 2 recorded runs."\n'
        "agent: transcript\n"
        "\n"
        "# The transcripts do not say what the tools do: a tool counts as irreversible until its contract says\n"
        "# `effect: read` (or `write`). --contracts FILE states it at import.\n"
        "contracts:\n"
        "  get_order:\n"
        "    description: Look an order up.\n"
        "    parameters:\n"
        "      type: object\n"
        "      properties: {id: {type: integer}}\n"
        "      required: [id]\n"
        "\n"
        "defaults: {model: m}\n"
        "\n"
        "cases:\n"
        '- {id: a, task: "Where is order 1?"}\n'
        "\n"
        '- {id: b, task: "Where is order 1?"}\n'
    )


def test_numbers_keep_their_digits(importing: Import) -> None:
    run = line(agent_cost_usd=0.14911499999999997)
    run["messages"][3] |= {"cost_usd": 0.014924999999999999, "usage": {"prompt_tokens": 4190, "completion_tokens": 157}}
    run["messages"][1]["usage"] = {"input_tokens": 7, "output_tokens": 1}
    importing(run)
    kept = transcript()
    assert kept["agent_cost_usd"] == 0.14911499999999997
    assert kept["messages"][2]["cost_usd"] == 0.014924999999999999
    assert kept["messages"][2]["usage"] == {"input": 4190, "output": 157}
    assert kept["messages"][1]["usage"] == {"input": 7, "output": 1}


def test_tool_answers_stay_strings_and_errors_errors(importing: Import) -> None:
    run = line()
    answers = ["255.0", "null", "", "no", "2024-05-20", "a\n\tb \n"]
    calls = [call("get_order", {"id": i}, f"k{i}") for i in range(len(answers) + 1)]
    run["messages"] = [
        {"role": "assistant", "content": "", "tool_calls": calls},
        *({"role": "tool", "tool_call_id": f"k{i}", "content": text} for i, text in enumerate(answers)),
        {"role": "tool", "tool_call_id": f"k{len(answers)}", "content": "no such order", "error": True},
    ]
    assert importing(run) == 0
    *told, failed = read_cassette(Path("cassettes/s/task/tools.yaml")).calls
    assert [c.result for c in told] == answers
    assert [c.overlap for c in (*told, failed)] == list(range(len(answers) + 1))
    assert failed.error is not None
    assert failed.error.as_json() == {"type": "ToolError", "message": "no such order"}


def test_lines_of_one_id_are_trials(importing: Import, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [line(trial=0, outcome="budget_exceeded"), line(trial=5), line(), line("other")]
    assert importing(*runs) == 0
    assert [(c["id"], c.get("trials")) for c in suite()["cases"]] == [("task", 3), ("other", None)]
    assert [transcript(f)["source"]["trial"] for f in ("task", "task.t2", "task.t3")] == [0, 5, 1]
    assert transcript()["outcome"] == "budget_exceeded"
    assert capsys.readouterr().out.splitlines()[:3] == [
        "runs.jsonl:1: trial 0 of 'task' becomes trial 1",
        "runs.jsonl:2: trial 5 of 'task' becomes trial 2",
        "runs.jsonl:3: trial 6 of 'task' becomes trial 3",
    ]


def test_ids_become_slugs_and_both_are_printed(importing: Import, capsys: pytest.CaptureFixture[str]) -> None:
    assert importing(line("Task 1"), line("task-1"), line("TASK/1"), line("ä"), line("…x" * 60)) == 1
    assert [c["id"] for c in suite()["cases"]] == ["task-1-2", "task-1", "task-1-3", ("x-" * 40)[:79]]
    out, err = capsys.readouterr()
    assert "runs.jsonl:1: id 'Task 1' becomes 'task-1-2': 'task-1' is the id of 'task-1'" in out
    assert "runs.jsonl:3: id 'TASK/1' becomes 'task-1-3'" in out
    assert "runs.jsonl:4: not imported: id: expected text with a letter or digit in it" in err
    load_suite(Path("cases/s/s.yaml").resolve(), Path.cwd())


MALFORMED: dict[str, tuple[dict[str, Any] | str, str]] = {
    "no JSON": ('{"id": "x"', "not JSON: "),
    "a list": ("[1]", "expected a JSON object, found a list"),
    "NaN": ('{"id": "x", "agent_cost_usd": NaN, "messages": []}', "not JSON: NaN is not JSON"),
    "half a character": ('{"id": "x", "messages": [{"role": "user", "content": "\\ud800"}]}', "holds half a surrogate pair"),
    "not UTF-8": ('{"id": "\udcff"}', "not UTF-8 (byte 9)"),
    "too deep": ("[" * 100_000, "nested too deeply"),
    "newer": (line("x", v=2), "v: version 2 is not known"),
    "no id": ({"messages": line()["messages"]}, "id: expected text with a letter or digit in it, found null"),
    "no messages": ({"id": "x"}, "messages: expected a list of messages, found nothing"),
    "empty messages": ({"id": "x", "messages": []}, "messages: expected a list of messages, found an empty list"),
    "a role": ({"id": "x", "messages": [{"role": "usr"}]}, "messages[0].role: unknown role 'usr'; one of system, "),
    "a role's hint": ({"id": "x", "messages": [{"role": "usr"}]}, "did you mean 'user'?"),
    "content": ({"id": "x", "messages": [{"role": "user", "content": 1}]}, "messages[0].content: expected text"),
    "arguments": (
        {"id": "x", "messages": [{"role": "assistant", "tool_calls": [call("t", '{"a": ')]}]},
        "messages[0].tool_calls[0].function.arguments: not JSON: ",
    ),
    "arguments no object": (
        {"id": "x", "messages": [{"role": "assistant", "tool_calls": [call("t", "[1]")]}]},
        "arguments: expected a JSON object, found a list",
    ),
    "a tool's name": (
        {"id": "x", "messages": [{"role": "assistant", "tool_calls": [call("t *", {})]}]},
        "messages[0].tool_calls[0].function.name: 't *' is no name for a tool",
    ),
    "an orphan answer": (
        {"id": "x", "messages": [{"role": "tool", "tool_call_id": "c9", "content": ""}]},
        "messages[0].tool_call_id: answers the call 'c9', which waits for none",
    ),
    "two answers": (
        {"id": "x", "messages": [*line()["messages"][:3], line()["messages"][2]]},
        "messages[3].tool_call_id: answers the call 'c1', which waits for none",
    ),
    "a user's call": (
        {"id": "x", "messages": [{"role": "user", "tool_calls": [call("t", {})]}]},
        "only an assistant calls tools",
    ),
    "an outcome": (line("x", outcome="complete"), "outcome: unknown outcome 'complete'; one of completed, "),
    "a cost": (line("x", agent_cost_usd="0.1"), "agent_cost_usd: expected a cost in USD (a number, not below 0), found '0.1'"),
    "a negative cost": (line("x", agent_cost_usd=-1), "agent_cost_usd: expected a cost in USD"),
    "a trial": (line("x", trial="1"), "trial: expected a whole number, found '1'"),
    "a repeated trial": (line("good", trial=1), "trial 1 of 'good' stands on line 1 already"),
    "a case field": (line("x", case={"expct": {}}), "case: unknown key 'expct'"),
    "an expectation": (line("x", case={"expect": {"cost": {"usd": 1}}}), "case: "),
    "our field": (line("x", case={"trials": 3}), "case.trials: 'trials' is stated by the import itself"),
    "another case": (line("good", case={"tags": ["b"]}), "case: differs from line 1"),
    "another schema": (
        line("x", tools=[{"type": "function", "function": {"name": "get_order", "parameters": {"type": "object"}}}]),
        "tools: 'get_order' has another schema than on line 1",
    ),
}


@pytest.mark.parametrize("bad", MALFORMED)
def test_a_malformed_line_is_reported_and_the_others_are_imported(
    bad: str, importing: Import, capsys: pytest.CaptureFixture[str]
) -> None:
    text, says = MALFORMED[bad]
    assert importing(line("good", trial=1, tools=TOOLS, case={"tags": ["a"]}), text, line("after")) == 1
    err = capsys.readouterr().err
    assert err.startswith("runs.jsonl:2: not imported: ")
    assert says in err
    assert err.count("\n") == 1
    assert [c["id"] for c in suite()["cases"]] == ["good", "after"]


def test_blank_lines_a_mark_and_windows_ends_are_no_mistakes(importing: Import) -> None:
    assert importing("\ufeff" + json.dumps(line("a")) + "\r", "", "  \r", json.dumps(line("b")) + "\r") == 0
    assert [c["id"] for c in suite()["cases"]] == ["a", "b"]


def test_nothing_to_import(importing: Import, capsys: pytest.CaptureFixture[str]) -> None:
    assert importing("") == 1
    assert "there is no run to import" in capsys.readouterr().err
    assert not Path("cases").exists()


def test_twice_gives_equal_bytes_and_writes_nothing(importing: Import, capsys: pytest.CaptureFixture[str]) -> None:
    importing(line(tools=TOOLS), line("b"))
    first = everything()
    capsys.readouterr()
    assert importing(line(tools=TOOLS), line("b")) == 0
    assert "nothing to write" in capsys.readouterr().out
    assert everything() == first
    for path in first:
        Path(path).unlink()
    importing(line(tools=TOOLS), line("b"))
    assert everything() == first


def test_what_exists_is_overwritten_with_force_only(importing: Import, capsys: pytest.CaptureFixture[str]) -> None:
    importing(line())
    Path("cases/s/s.yaml").write_text("mine")
    Path("cassettes/s/task/transcript.yaml").unlink()
    before = everything()
    assert importing(line()) == 1
    assert "cases/s/s.yaml" in capsys.readouterr().err
    assert everything() == before, "the missing transcript was not written either"
    assert importing(line(), options=("--force",)) == 0
    assert suite()["suite"] == "s"
    assert transcript()["case"] == "s/task"
    assert not list(Path().rglob("*.tmp"))


def test_contracts_from_a_file_win(importing: Import) -> None:
    Path("c.yaml").write_text("get_order: {effect: read, tier: 0}\nrefund: {effect: write, sensitive: [card]}\n")
    run = line(tools=TOOLS)
    run["messages"][1]["tool_calls"].append(call("refund", {"card": "4111-1111", "n": 1}, "c2"))
    run["messages"].insert(3, {"role": "tool", "tool_call_id": "c2", "content": "refunded to 4111-1111"})
    assert importing(run, options=("--contracts", "c.yaml")) == 0
    contracts = suite()["contracts"]
    assert contracts["get_order"] == {
        "description": "Look an order up.",
        "parameters": TOOLS[0]["function"]["parameters"],
        "effect": "read",
        "tier": 0,
    }
    assert contracts["refund"] == {"effect": "write", "sensitive": ["card"]}
    assert "irreversible" not in Path("cases/s/s.yaml").read_text()
    assert not [path for path, raw in everything().items() if b"4111" in raw], "what the contract calls sensitive is kept out"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("get_order: read\n", "c.yaml:1:1: get_order: found a string; expected contract fields, such as {effect: read}"),
        ("- a\n", "expected a mapping of tools to contract fields"),
        ("get_order: {efect: read}\n", "did you mean 'effect'?"),
        ("a: 1\na: 2\n", "c.yaml:2:1"),
    ],
)
def test_contracts_out_of_shape(text: str, says: str, importing: Import, capsys: pytest.CaptureFixture[str]) -> None:
    Path("c.yaml").write_text(text)
    assert importing(line(), options=("--contracts", "c.yaml")) == 1
    assert says in capsys.readouterr().err
    assert not Path("cases").exists()


def test_a_called_tool_that_is_not_declared_has_an_open_contract(importing: Import, capsys: pytest.CaptureFixture[str]) -> None:
    run = line(tools=TOOLS)
    run["messages"][1]["tool_calls"] = [call("get_ordr", {"id": 1})]
    assert importing(run) == 0
    assert suite()["contracts"]["get_ordr"] == {}
    assert "calls 'get_ordr', which its `tools` do not have" in capsys.readouterr().out


def test_a_call_without_an_answer_is_said_and_replays_as_an_error(importing: Import, capsys: pytest.CaptureFixture[str]) -> None:
    run = line()
    run["messages"] = run["messages"][:2]
    assert importing(run) == 0
    (only,) = read_cassette(Path("cassettes/s/task/tools.yaml")).calls
    assert only.error is not None
    assert only.error.type == "Unanswered"
    assert "runs.jsonl:1: get_order has no answer" in capsys.readouterr().out


def test_ids_of_calls_may_start_anew_in_every_message(importing: Import) -> None:
    run = line()
    run["messages"] = [*run["messages"][:3], *line()["messages"][1:]]
    run["messages"][4]["content"] = "second"
    assert importing(run) == 0
    assert [c.result for c in read_cassette(Path("cassettes/s/task/tools.yaml")).calls] == ['{"status": "sent"}', "second"]


def test_a_slip_of_the_pen_is_named(importing: Import, capsys: pytest.CaptureFixture[str]) -> None:
    assert importing(line(outcom="error", exported_by="me")) == 0
    out = capsys.readouterr().out
    assert "key 'outcom' is not read; did you mean 'outcome'?" in out
    assert "exported_by" not in out


def test_secrets_leave_the_conversation(importing: Import, capsys: pytest.CaptureFixture[str]) -> None:
    key = "sk-" + "A1b2C3d4" * 6
    run = line(case={"expect": {"said": {"not_contains": key}}})
    run["messages"][0]["content"] = f"my key is {key}"
    run["messages"][1]["tool_calls"] = [call("get_order", {"key": key})]
    run["messages"][2]["content"] = json.dumps({"key": key})
    assert importing(run) == 0
    assert not [path for path, raw in everything().items() if key.encode() in raw]
    assert "holds secrets" in capsys.readouterr().out
    placeholder = transcript()["messages"][1]["calls"][0]["args"]["key"]
    assert placeholder.startswith("<<")
    assert suite()["cases"][0]["task"] == f"my key is {placeholder}"
    (only,) = read_cassette(Path("cassettes/s/task/tools.yaml")).calls
    assert only.args == {"key": placeholder}


def test_a_long_run_gets_room(importing: Import) -> None:
    run = line()
    run["messages"] += [{"role": "assistant", "content": str(i)} for i in range(60)]
    importing(run)
    assert suite()["cases"][0]["budget"] == {"steps": 62}


def test_parts_of_content_and_other_roles(importing: Import) -> None:
    run = line()
    parts = [{"type": "text", "text": "Where is"}, {"type": "image_url", "image_url": {}}, {"type": "text", "text": "it?"}]
    run["messages"][0]["content"] = parts
    run["messages"].insert(0, {"role": "developer", "content": "Be kind."})
    importing(run)
    assert [m["content"] for m in transcript()["messages"][:2]] == ["Be kind.", "Where is\n[image_url]\nit?"]


def test_a_packed_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("runs.jsonl.gz").write_bytes(gzip.compress(json.dumps(line()).encode()))
    assert main(["import", "runs.jsonl.gz", "--suite", "s"]) == 0
    assert transcript()["case"] == "s/task"


def test_other_folders(importing: Import) -> None:
    assert importing(line(), options=("--cases", "a/b", "--cassettes", "c")) == 0
    first = Path("a/b/s/s.yaml").read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=../../../agentops-case.schema.json"
    assert Path("c/s/task/tools.yaml").is_file()


@pytest.mark.parametrize("args", [["runs.jsonl"], ["runs.jsonl", "--suite", "My Suite"], ["--suite", "s"]])
def test_a_wrong_command_line_is_exit_2(args: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["import", *args])


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", str(tmp_path / "no.jsonl"), "--suite", "s"]) == 2
    assert "no such file" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written(importing: Import, capsys: pytest.CaptureFixture[str]) -> None:
    Path("cases").write_text("a file where a folder should be")
    assert importing(line()) == 1
    assert "cases/s/s.yaml: cannot be" in capsys.readouterr().err
