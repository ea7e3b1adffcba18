"""The network guard: while a trial replays, every connect of this process is refused.

It is an audit hook, which sees sockets whatever library opens them, in every thread. Python cannot remove an audit hook, so the
process has one guard, installed on first use and switched on only around a replay. Child processes are not seen; that one was
started is noted.
"""

from __future__ import annotations

import functools
import socket
import sys
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from ..errors import AgentOpsError, NetworkBlocked

_LOOKUPS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo")
_SENDS = ("socket.connect", "socket.sendto", "socket.sendmsg")
_CHILDREN = ("subprocess.Popen", "os.posix_spawn", "os.spawn", "os.system", "os.exec", "os.fork", "os.forkpty")
_OWN_HOSTS = ("localhost", "::1", "", "None", "0.0.0.0", "::")
_EVERYWHERE = ("0.0.0.0", "::", "")


class NetworkGuard:
    """Refuses connects while switched on, and remembers what it saw."""

    def __init__(self) -> None:
        self._allowed: frozenset[str] | None = None
        self._bound: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._lock = threading.RLock()
        self.blocked: list[str] = []
        self.children: list[str] = []

    def hook(self, event: str, args: tuple[Any, ...]) -> None:
        """The audit hook; it runs for every event of the process, so the common case leaves at once."""
        if event[:7] == "socket.":
            if event == "socket.bind":
                self._note_bind(args[0])
            elif self._allowed is not None:
                self._check(event, args)
        elif self._allowed is not None and event in _CHILDREN:
            self.children.append(_child_name(args))

    def _note_bind(self, sock: socket.socket) -> None:
        with self._lock, suppress(TypeError):  # a raw _socket.socket takes no weak reference; it needs network.allow
            self._bound.add(sock)

    def _check(self, event: str, args: tuple[Any, ...]) -> None:
        if event in _LOOKUPS:
            host = _text(args[0][0] if isinstance(args[0], tuple) else args[0])
            if not _is_own(host) and not any(_split(entry)[0] == host for entry in self._allowed or ()):
                self._refuse(f"{host}:{args[1]}" if len(args) > 1 else host)
        elif event in _SENDS:
            sock, address = args[0], args[1]
            if getattr(sock, "family", None) == getattr(socket, "AF_UNIX", None) or not isinstance(address, tuple):
                return
            host, port = _text(address[0]), address[1]
            if not self._is_allowed(host, port) and not self._is_ours(host, port):
                self._refuse(f"{host}:{port}")

    def _is_allowed(self, host: str, port: int) -> bool:
        """Whether the case allows it; an entry with a name allows what the name stands for."""
        for entry in self._allowed or ():
            name, number = _split(entry)
            if number == str(port) and (name == host or host in _addresses(name)):
                return True
        return False

    def _is_ours(self, host: str, port: int) -> bool:
        """Whether a socket of this process listens there (a server that a fixture started)."""
        if not _is_own(host):
            return False
        with self._lock:
            bound = list(self._bound)
        for sock in bound:
            try:
                name = sock.getsockname()
                listens = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            except OSError:
                continue
            if listens and name[1] == port and (name[0] in _EVERYWHERE or host in (name[0], "localhost")):
                return True
        return False

    def _refuse(self, address: str) -> None:
        self.blocked.append(address)
        raise NetworkBlocked(address)

    @contextmanager
    def on(self, allow: Sequence[str] = ()) -> Iterator[NetworkGuard]:
        """Refuse connects until the block ends; `allow` lists ``host:port``."""
        before = self._allowed
        self._allowed = frozenset(allow)
        try:
            yield self
        finally:
            self._allowed = before

    def drain(self) -> tuple[list[str], list[str]]:
        """What was blocked and which children were started since the last call."""
        seen = (self.blocked, self.children)
        self.blocked, self.children = [], []
        return seen

    def self_test(self) -> None:
        """Prove that a connect is refused; raises if this Python does not call the hook."""
        with self.on(), socket.socket() as sock:
            sock.setblocking(False)
            try:
                sock.connect(("127.0.0.1", 9))
            except NetworkBlocked:
                self.drain()
                return
            except OSError:
                pass
        raise AgentOpsError("the network guard does not work on this Python: a connect was not refused in its self-test")


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _is_own(host: str) -> bool:
    return host in _OWN_HOSTS or host.startswith("127.")


def _split(entry: str) -> tuple[str, str]:
    host, _, port = entry.rpartition(":")
    return host.strip("[]"), port


def _addresses(name: str) -> set[str]:
    """What an allowed name stands for; it was looked up by who connects, so asking again tells nobody anything."""
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(name, None)}
    except OSError:
        return set()


def _child_name(args: tuple[Any, ...]) -> str:
    name = args[0] if args else "?"
    return _text(name) if name is not None else _text(args[1]) if len(args) > 1 else "?"


@functools.cache
def network_guard() -> NetworkGuard:
    """The guard of this process, installed on the first call."""
    guard = NetworkGuard()
    sys.addaudithook(guard.hook)
    return guard
