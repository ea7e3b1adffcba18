"""The command line itself, and `schema`."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from pytest_agentops.cli import main as cli
from pytest_agentops.errors import AgentOpsError


def test_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert {"version", "suite", "cases"} <= set(schema["properties"])


def test_schema_to_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "agentops-case.schema.json"
    assert cli.main(["schema", "-o", str(path)]) == 0
    assert cli.main(["schema"]) == 0
    assert capsys.readouterr().out == path.read_text()
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("args", [[], ["export"], ["schema", "--what"]])
def test_a_wrong_command_line_is_exit_2(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(args)
    assert "usage: pytest-agentops" in capsys.readouterr().err


def test_an_error_on_purpose_is_one_message(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(options: object) -> int:
        raise AgentOpsError("what is wrong")

    monkeypatch.setattr("pytest_agentops.cli.schema.run", fail)
    assert cli.main(["schema"]) == 1
    assert capsys.readouterr().err == "pytest-agentops schema: what is wrong\n"


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    command = [sys.executable, "-m", "pytest_agentops.cli", "schema"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_the_console_script() -> None:
    (found,) = entry_points(group="console_scripts", name="pytest-agentops")
    assert found.load() is cli.main


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from pytest_agentops.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "bad = {'yaml', 'pydantic', 'pandas', 'vcr', 'openai', 'tabulate', 'jsonschema_rs', 'pytest'} & set(sys.modules)\n"
        "sys.exit(f'imported: {bad}' if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "import" in done.stdout
    assert "schema" in done.stdout
