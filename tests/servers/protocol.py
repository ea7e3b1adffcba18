"""A small local server that really speaks the protocols of the providers, scripted by a test.

::

    from ..servers.protocol import ProtocolServer, call, say, use_tools      # from tests/<area>/test_x.py

    with ProtocolServer([use_tools(call("orders_get", id="A-1")), say("Done.")]) as server:
        client = openai.OpenAI(base_url=server.url + "/v1", api_key="k")      # anthropic: base_url=server.url
        ...
        assert server.count == 2                                             # requests that arrived
        assert server.requests[0].json["model"] == "m"                        # .method .path .query .headers .body .json

- It speaks ``/v1/chat/completions``, ``/v1/responses``, ``/v1/messages`` (each plain and as SSE, by ``stream`` of the request;
  ``stream_options.include_usage`` is honoured) and ``/v1/embeddings``. Any other path gets ``{"path", "text"}``.
- The script is a list of answers, given in the order the requests arrive, or a function of the request's JSON body
  (``{}`` where it is none) that gives an answer. A bare string is `say` of it. An empty script is a 400 that says so.
- Misbehaving: ``fail(500)``, ``too_many()`` (429 with retry-after), ``overflow()`` (400), ``html()``, ``raw(b"...")``, and
  ``answer.but(delay=0.2, pause=0.01, cut=3, drop=True, gzip=True)``: slow, slow stream, a stream cut after 3 events, closed
  without an answer, compressed.
- ``ProtocolServer(answers, process=True)`` runs in a process of its own, which the network guard refuses (it lets a server of
  this process through); the script must then be a list.
- `server.url` has no ``/v1``. Ids count up from the first request of the server, so two servers with one script answer alike.
"""

from __future__ import annotations

import gzip
import json
import pickle
import subprocess
import sys
import tempfile
import threading
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

if __name__ == "__main__":  # the process of its own: found beside this file
    sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.servers.answers import Answer, Usage, call, fail, html, overflow, raw, render, say, too_many, use_tools

__all__ = ["Answer", "ProtocolServer", "Seen", "Usage", "call", "fail", "html", "overflow", "raw", "say", "too_many", "use_tools"]

Script = Sequence[Answer | str] | Callable[[dict[str, Any]], Answer | str]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One request that arrived."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    """Lower-case names."""
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *args: Any) -> None:
        pass

    def handle_request(self) -> None:
        body = self._body()
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(method=self.command, path=parts.path, query=parts.query, headers=headers, body=body)
        try:
            asked = json.loads(body) if body else {}
        except ValueError:
            asked = {}
        asked = asked if isinstance(asked, dict) else {}
        number, answer = self.server.next(seen, asked)
        self.server.stopped.wait(answer.delay)
        if answer.drop:
            self.close_connection = True
            return
        rendered = answer.body if answer.body is not None else render(parts.path, asked, answer, number)
        if isinstance(rendered, list):
            self._stream(rendered, answer)
        else:
            self._whole(rendered if isinstance(rendered, bytes) else json.dumps(rendered).encode(), answer)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = handle_request

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def _start(self, answer: Answer, content_type: str, **headers: str) -> None:
        self.send_response(answer.status)
        self.send_header("content-type", content_type)
        self.send_header("x-request-id", f"req-{self.server.count}")
        self.send_header("set-cookie", "session=SECRET-COOKIE; Path=/")
        for name, value in (*answer.headers, *((k.replace("_", "-"), v) for k, v in headers.items())):
            self.send_header(name, value)
        self.end_headers()

    def _whole(self, data: bytes, answer: Answer) -> None:
        data = gzip.compress(data, mtime=0) if answer.gzip else data
        extra = {"content_encoding": "gzip"} if answer.gzip else {}
        self._start(answer, answer.content_type, content_length=str(len(data)), **extra)
        if self.command == "HEAD":
            return
        self.wfile.write(data if answer.cut is None else data[: answer.cut])
        self.close_connection = answer.cut is not None

    def _stream(self, events: list[tuple[str | None, Any]], answer: Answer) -> None:
        """Chunked, one chunk an event; a compressed stream is flushed event by event, too."""
        packer = zlib.compressobj(wbits=31) if answer.gzip else None
        extra = {"content_encoding": "gzip"} if answer.gzip else {}
        self._start(answer, "text/event-stream; charset=utf-8", transfer_encoding="chunked", cache_control="no-cache", **extra)
        for index, (name, value) in enumerate(events):
            if answer.cut == index:
                self.wfile.flush()
                self.close_connection = True
                return
            text = value if isinstance(value, str) else json.dumps(value)
            data = (f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode()
            self._chunk(packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH) if packer else data)
            if answer.pause:
                self.server.stopped.wait(answer.pause)
        if packer:
            self._chunk(packer.flush())
        self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, script: Script, log: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script = script
        self.seen: list[Seen] = []
        self.lock = threading.Lock()
        self.stopped = threading.Event()
        self.log = log

    @property
    def count(self) -> int:
        return len(self.seen)

    def next(self, seen: Seen, asked: dict[str, Any]) -> tuple[int, Answer]:
        with self.lock:
            number = len(self.seen)
            self.seen.append(seen)
            if self.log:
                with self.log.open("ab") as file:
                    pickle.dump(seen.__dict__, file)
            given = None if callable(self.script) else self.script[number] if number < len(self.script) else ""
        if given is None:
            given = self.script(asked)  # type: ignore[operator]
        if given == "":
            return number, fail(400, f"the script has no answer for request {number + 1}", x_should_retry="false")
        return number, say(given) if isinstance(given, str) else given

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is none of ours; anything else is a broken test and is shown."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class ProtocolServer:
    """The server as a context manager; see the module."""

    def __init__(self, script: Script, *, process: bool = False) -> None:
        self._script = script
        self._process = process
        self._child: subprocess.Popen[bytes] | None = None
        self._server: _Server | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._thread: threading.Thread | None = None
        self.url = ""

    def __enter__(self) -> Self:
        if self._process:
            self._start_child()
        else:
            self._server = _Server(self._script)
            self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
            self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
            self._thread.start()
        return self

    def _start_child(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        command = [sys.executable, "-S", str(Path(__file__)), str(self._log)]
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._child.stdin
        assert self._child.stdout
        pickle.dump([say(one) if isinstance(one, str) else one for one in self._script], self._child.stdin)  # type: ignore[union-attr]
        self._child.stdin.flush()
        self.url = self._child.stdout.readline().decode().strip()
        assert self.url, "the server process did not start"

    @property
    def _log(self) -> Path:
        assert self._folder
        return Path(self._folder.name) / "requests"

    @property
    def requests(self) -> list[Seen]:
        """What arrived so far, in order."""
        if self._server:
            return list(self._server.seen)
        seen: list[Seen] = []
        if self._log.exists():
            with self._log.open("rb") as file:
                while file.peek(1):
                    seen.append(Seen(**pickle.load(file)))
        return seen

    @property
    def count(self) -> int:
        return len(self.requests)

    def stop(self) -> None:
        """Stop answering: the port is closed, the log stays."""
        if self._server and self._thread:
            self._server.stopped.set()
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._thread = None
        if self._child:
            self._child.terminate()
            self._child.communicate()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
        if self._folder:
            self._folder.cleanup()


def main() -> None:
    """In a process of its own: the script comes pickled on stdin, the address goes to stdout."""
    server = _Server(pickle.load(sys.stdin.buffer), Path(sys.argv[1]))
    sys.stdout.write(f"http://127.0.0.1:{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever(0.02)


if __name__ == "__main__":
    main()
