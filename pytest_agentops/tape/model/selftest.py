"""Proof that a tap sees requests: each client library that is loaded asks for a place that does not exist and must be answered.

A library that a patch does not reach would go live without a word while recording; in replay the network guard would refuse it.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ...errors import AgentOpsError
from .exchange import Request, Response
from .tap import tapped

URL = "http://agentops.invalid/self-test"
_PROOF = b"the tap answered"
_SECONDS = 2.0


def self_test(*, skip: Sequence[str] = ()) -> list[str]:
    """The libraries whose requests were seen; raises with the names of those that were not. Needed once a process."""
    missed: dict[str, str] = {}
    with tapped(_Proof(), skip=skip):  # imports what vcr can patch, so that this is loaded from here on
        probes = {name: probe for name, probe in _PROBES.items() if name in sys.modules}
        for name, probe in probes.items():
            try:
                got = probe(sys.modules[name])
            except Exception as error:
                missed[name] = f"{type(error).__name__}: {error}"
            else:
                if got != _PROOF:
                    missed[name] = f"it got {got[:40]!r}"
    if missed:
        raise AgentOpsError(_report(missed))
    return list(probes)


class _Proof:
    """Answers the one request and nothing else."""

    def passes(self, request: Request) -> bool:
        return False

    def answer(self, request: Request) -> Response | None:
        mine = request.endpoint + request.path == URL
        return Response(status=200, headers=(("content-type", "text/plain"),), body=_PROOF) if mine else None

    def arrived(self, request: Request, response: Response) -> None:
        """A stranger's request, sent as if no tap were there."""

    def failed(self, request: Request) -> None:
        """The same."""


def _http_client(library: Any) -> bytes:
    connection = library.HTTPConnection("agentops.invalid", timeout=_SECONDS)
    connection.request("GET", "/self-test")
    return bytes(connection.getresponse().read())


def _urllib3(library: Any) -> bytes:
    pool = library.HTTPConnectionPool("agentops.invalid", timeout=_SECONDS)
    return bytes(pool.request("GET", "/self-test", retries=False).data)


def _httpx(library: Any) -> bytes:
    """The transports themselves: a client would load certificates and read proxies from the environment."""
    request = library.Request("GET", URL, extensions={"timeout": {"connect": _SECONDS}})
    with library.HTTPTransport(verify=False) as transport:
        answer = bytes(transport.handle_request(request).read())

    async def ask() -> bytes:
        async with library.AsyncHTTPTransport(verify=False) as transport:
            return bytes(await (await transport.handle_async_request(request)).aread())

    return answer if answer != _PROOF else _in_a_loop(ask)


def _aiohttp(library: Any) -> bytes:
    async def ask() -> bytes:
        async with (
            library.ClientSession(timeout=library.ClientTimeout(total=_SECONDS)) as session,
            session.get(URL) as response,
        ):
            return bytes(await response.read())

    return _in_a_loop(ask)


def _in_a_loop(ask: Callable[[], Any]) -> bytes:
    """In a thread of its own: this one may have a loop that runs, and should keep the one it has."""
    import asyncio

    found: list[bytes | BaseException] = []

    def run() -> None:
        try:
            found.append(asyncio.run(ask()))
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(found[0], BaseException):
        raise found[0]
    return found[0]


_PROBES: dict[str, Callable[[Any], bytes]] = {
    "http.client": _http_client,
    "urllib3": _urllib3,
    "httpx": _httpx,
    "httpx2": _httpx,
    "aiohttp": _aiohttp,
}


def _report(missed: dict[str, str]) -> str:
    rows = [f"  {name}{_version(name)}: {why}" for name, why in missed.items()]
    head = f"the model layer does not see the requests of {', '.join(missed)}: {URL} was not answered by the tap"
    cure = (
        f"  cure: use a vcrpy (installed:{_version('vcrpy')}) that patches these versions, and see that nothing else patches them"
    )
    return "\n".join([head, *rows, cure])


def _version(name: str) -> str:
    try:
        return f" {version(name)}"
    except PackageNotFoundError:
        return ""
