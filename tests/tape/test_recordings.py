"""Keeping both layers of a recording: together or not at all, and each one only where it says something new."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_agentops.errors import CassetteError, SecretFound
from pytest_agentops.redact.membrane import Membrane
from pytest_agentops.schema.pins import Pins
from pytest_agentops.tape import staging
from pytest_agentops.tape.cassette import dump, read
from pytest_agentops.tape.model.exchange import Exchange, ModelCassette, Request, Response
from pytest_agentops.tape.model.file import dump as dump_model
from pytest_agentops.tape.model.file import read as read_model
from pytest_agentops.tape.recording import Recording, ToolsCassette
from pytest_agentops.tape.store import save_partial_recording, save_recording

PORT = "http://127.0.0.1:8080"


def tools(result: object = 1, *, layers: tuple[str, ...] = ("tools", "model"), **facts: object) -> ToolsCassette:
    calls = [Recording(tool="a", args={}, result=result)]
    endpoint = PORT if "model" in layers else None
    made = ToolsCassette(
        case="s/c", recorded_at="2026-11-22", clock="2026-11-22T09:00:00Z", layers=layers, endpoint=endpoint, calls=calls
    )
    return replace(made, **facts)  # type: ignore[arg-type]


def model(text: str = "Hi", *, run: str = "1", endpoint: str = PORT) -> ModelCassette:
    body = json.dumps({"id": f"chatcmpl-{run}", "choices": [{"message": {"content": text}}]}).encode()
    request = Request(method="POST", path="/v1/chat/completions", body=b"{}", content_type="application/json", endpoint=endpoint)
    return ModelCassette(
        case="s/c", endpoint=endpoint, exchanges=[Exchange(request=request, response=Response(status=200, body=body))]
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cassettes" / "s" / "c"


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def stamps(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()}


def test_both_layers_are_written(folder: Path) -> None:
    assert save_recording(folder, tools(), model())
    assert files(folder) == ["model.yaml", "tools.yaml"]
    assert (folder / "tools.yaml").read_text(encoding="utf-8") == dump(tools())
    assert (folder / "model.yaml").read_text(encoding="utf-8") == dump_model(model())


def test_equal_answers_in_both_leave_every_byte_alone(folder: Path) -> None:
    save_recording(folder, tools(), model())
    before = stamps(folder)
    again = tools(
        recorded_at="2030-01-01", clock="2030-01-01T00:00:00Z", with_="pytest-agentops 9", seed=5, endpoint="http://127.0.0.1:9"
    )
    assert not save_recording(folder, again, model(run="2", endpoint="http://127.0.0.1:9"))
    assert stamps(folder) == before


def test_a_changed_pin_alone_changes_the_header_alone(folder: Path) -> None:
    save_recording(folder, tools(), model())
    before = stamps(folder)
    assert save_recording(folder, tools(recorded_at="2030-01-01", pins=Pins(prompt="sha256:000000000000")), model(run="2"))
    assert stamps(folder)["model.yaml"] == before["model.yaml"]
    found = read(folder / "tools.yaml")
    assert (found.recorded_at, found.pins.prompt) == ("2026-11-22", "sha256:000000000000")


def test_another_model_answer_is_written_with_the_facts_of_its_run(folder: Path) -> None:
    save_recording(folder, tools(), model())
    clock = "2030-01-01T00:00:00Z"
    assert save_recording(folder, tools(clock=clock), model("Ho", run="2"))
    assert read(folder / "tools.yaml").clock == clock  # what the model was asked may name it
    assert b"chatcmpl-2" in read_model(folder / "model.yaml").exchanges[0].response.body


def test_another_tool_answer_leaves_an_equal_model_layer_alone(folder: Path) -> None:
    save_recording(folder, tools(), model())
    before = stamps(folder)
    assert save_recording(folder, tools(2, endpoint="http://127.0.0.1:9"), model(run="2", endpoint="http://127.0.0.1:9"))
    assert stamps(folder)["model.yaml"] == before["model.yaml"]
    found = read(folder / "tools.yaml")
    assert (found.calls[0].result, found.endpoint) == (2, PORT)


def test_a_model_layer_that_is_no_more_is_removed_and_a_new_one_added(folder: Path) -> None:
    save_recording(folder, tools(), model())
    (folder / "transcript.yaml").write_text("kept", encoding="utf-8")
    assert save_recording(folder, tools(layers=("tools",)), None)
    assert files(folder) == ["tools.yaml", "transcript.yaml"]
    assert not save_recording(folder, tools(layers=("tools",)), None)
    assert save_recording(folder, tools(), model())
    assert files(folder) == ["model.yaml", "tools.yaml", "transcript.yaml"]


def test_a_model_layer_that_no_header_speaks_of_is_removed(folder: Path) -> None:
    save_recording(folder, tools(layers=("tools",)), None)
    (folder / "model.yaml").write_text("stray", encoding="utf-8")
    assert save_recording(folder, tools(layers=("tools",)), None)
    assert files(folder) == ["tools.yaml"]


@pytest.mark.parametrize("name", ["tools.yaml", "model.yaml"])
@pytest.mark.parametrize("text", [None, "---\nformat: 1\n"])
def test_where_one_file_is_missing_or_damaged_both_are_new(folder: Path, name: str, text: str | None) -> None:
    save_recording(folder, tools(), model())
    (folder / name).unlink()
    if text is not None:
        (folder / name).write_text(text, encoding="utf-8")
    assert save_recording(folder, tools(recorded_at="2030-01-01"), model(run="2"))
    assert read(folder / "tools.yaml").recorded_at == "2030-01-01"
    assert b"chatcmpl-2" in (folder / "model.yaml").read_bytes()


def test_what_never_got_an_answer_is_not_kept(folder: Path) -> None:
    save_recording(folder, tools(), model())
    before = stamps(folder)
    with pytest.raises(CassetteError, match=r"tools\.yaml: not written: no answer came for a"):
        save_recording(folder, tools(2, unanswered=("a",)), model("Ho"))
    with pytest.raises(
        CassetteError, match=r"model\.yaml: not written: no answer came for POST /v1\n  cure: see that the server is up"
    ):
        save_recording(folder, tools(2), replace(model("Ho"), unanswered=("POST /v1",)))
    assert stamps(folder) == before


# ---- what goes wrong


def leaky(where: str) -> tuple[ToolsCassette, ModelCassette]:
    secret = "key sk-abc123def456ghi789"
    if where == "tools":
        return tools(secret), model("Ho")
    if where == "answer":
        return tools(2), model(secret)
    raw = Request(method="POST", path="/", body=b"\xff" + secret.encode())  # base64 in the file
    return tools(2), replace(model(), exchanges=[Exchange(request=raw, response=Response(status=200))])


@pytest.mark.parametrize(("where", "named"), [("tools", "tools"), ("answer", "model"), ("base64", "model")])
def test_a_secret_in_either_keeps_both_old_files(folder: Path, where: str, named: str) -> None:
    save_recording(folder, tools(), model())
    before, scan = stamps(folder), Membrane({}).scan
    asked = leaky(where)
    if where == "base64":
        assert not scan(dump_model(asked[1]).encode())
        assert base64.b64encode(asked[1].exchanges[0].request.body)[:20] in dump_model(asked[1]).encode()
    for keep, stem in ((save_recording, ""), (save_partial_recording, ".partial")):
        with pytest.raises(SecretFound) as caught:
            keep(folder, *asked, scan)
        assert (Path(caught.value.path).name, caught.value.kinds) == (f"{named}{stem}.yaml", ["api_key"])
    assert stamps(folder) == before


def test_nothing_is_put_in_place_before_everything_was_scanned(folder: Path) -> None:
    seen: list[list[str]] = []

    def scan(data: bytes) -> list[str]:
        seen.append([name for name in files(folder) if not name.startswith(".")] if folder.exists() else [])
        return []

    save_recording(folder, tools(), model(), scan)
    assert seen
    assert not any(seen)


@pytest.mark.parametrize("fails_at", [1, 2])
@pytest.mark.parametrize("old", [True, False])
def test_a_replace_that_fails_leaves_the_pair_as_it_was(
    folder: Path, monkeypatch: pytest.MonkeyPatch, fails_at: int, old: bool
) -> None:
    folder.mkdir(parents=True)
    if old:
        save_recording(folder, tools(), model())
    before = {name: data for name, (_, data) in stamps(folder).items()}
    real, count = os.replace, iter(range(1, 9))

    def fail(source: Path, target: Path) -> None:
        if next(count) == fails_at:
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr(staging.os, "replace", fail)
    with pytest.raises(CassetteError, match="cannot be written: No space left on device"):
        save_recording(folder, tools(2), model("Ho"))
    assert {name: data for name, (_, data) in stamps(folder).items()} == before


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
@pytest.mark.parametrize("where", ["fsync", "replace"])
def test_kill_9_before_the_first_file_stands_leaves_the_old_pair(folder: Path, where: str) -> None:
    save_recording(folder, tools(), model())
    before = stamps(folder)
    script = f"""
        import os, sys, time
        from pathlib import Path
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from test_recordings import model, save_recording, tools

        def wait(*_):
            print("saving", flush=True)
            time.sleep(60)

        os.{where} = wait
        save_recording(Path({str(folder)!r}), tools(2), model("Ho"))
    """
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    with child, child.stdout:
        assert child.stdout.readline() == "saving\n"
        child.send_signal(signal.SIGKILL)
        assert child.wait(10) == -signal.SIGKILL
    left = stamps(folder)
    assert {name: left[name] for name in before} == before
    assert all(name in before or name.endswith(".tmp") for name in left)


# ---- runs that did not end well


def test_partial_files_stand_beside_the_good_ones_and_go_with_the_next(folder: Path) -> None:
    save_recording(folder, tools(), model())
    before = stamps(folder)
    assert save_partial_recording(folder, tools(2), model("Ho")) == folder / "tools.partial.yaml"
    assert files(folder) == ["model.partial.yaml", "model.yaml", "tools.partial.yaml", "tools.yaml"]
    assert read_model(folder / "model.partial.yaml").exchanges[0].response.body == model("Ho").exchanges[0].response.body
    save_partial_recording(folder, tools(3, layers=("tools",)), None)
    assert files(folder) == ["model.yaml", "tools.partial.yaml", "tools.yaml"]
    save_partial_recording(folder, tools(2), model("Ho"))
    assert not save_recording(folder, tools(), model())
    assert stamps(folder) == before


def test_a_partial_file_is_written_whatever_is_unanswered(folder: Path) -> None:
    save_partial_recording(folder, tools(unanswered=("a",)), replace(model(), unanswered=("POST /v1",)))
    assert files(folder) == ["model.partial.yaml", "tools.partial.yaml"]


def test_the_tools_layer_alone_can_still_be_saved(folder: Path) -> None:
    assert save_recording(folder, tools(layers=("tools",)), None)
    assert not save_recording(folder, tools(layers=("tools",)), None)
