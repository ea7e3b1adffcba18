"""The network guard: while a trial replays, every connect of this process is refused.

It is an audit hook, which sees sockets whatever library opens them, in every thread. Python cannot remove an audit hook, so the
process has one guard, installed on first use and switched on only around a replay. Child processes are not seen; that one was
started is noted.
"""

from __future__ import annotations

import functools
import socket
import sys
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..errors import AgentOpsError, NetworkBlocked

_LOOKUPS = ("socket.getaddrinfo", "socket.gethostbyname")
_SENDS = ("socket.connect", "socket.sendto", "socket.sendmsg")
_CHILDREN = ("subprocess.Popen", "os.posix_spawn", "os.spawn", "os.system", "os.exec", "os.fork")
_OWN_HOSTS = ("localhost", "127.0.0.1", "::1", "", None)


class NetworkGuard:
    """Refuses connects while switched on, and remembers what it saw."""

    def __init__(self) -> None:
        self._allowed: frozenset[str] | None = None
        self._listening: weakref.WeakSet[socket.socket] = weakref.WeakSet()
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
        try:
            self._listening.add(sock)
        except TypeError:  # a raw _socket.socket takes no weak reference; connecting to it needs network.allow
            return

    def _check(self, event: str, args: tuple[Any, ...]) -> None:
        if event in _LOOKUPS:
            if args[0] not in _OWN_HOSTS and not self._allows_host(_text(args[0])):
                self._refuse(f"{_text(args[0])}:{args[1]}" if len(args) > 1 else _text(args[0]))
        elif event in _SENDS:
            sock, address = args[0], args[1]
            if getattr(sock, "family", None) == getattr(socket, "AF_UNIX", None) or not isinstance(address, tuple):
                return
            host, port = _text(address[0]), address[1]
            if f"{host}:{port}" not in (self._allowed or ()) and not self._is_ours(host, port):
                self._refuse(f"{host}:{port}")

    def _allows_host(self, host: str) -> bool:
        return any(entry.rpartition(":")[0] == host for entry in self._allowed or ())

    def _is_ours(self, host: str, port: int) -> bool:
        """Whether a socket of this process listens there (a server that a fixture started)."""
        for sock in list(self._listening):
            try:
                name = sock.getsockname()
                listens = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            except OSError:
                continue
            if listens and name[1] == port and name[0] in (host, "0.0.0.0", "::", ""):
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


def _child_name(args: tuple[Any, ...]) -> str:
    name = args[0] if args else "?"
    return _text(name) if name is not None else _text(args[1]) if len(args) > 1 else "?"


@functools.cache
def network_guard() -> NetworkGuard:
    """The guard of this process, installed on the first call."""
    guard = NetworkGuard()
    sys.addaudithook(guard.hook)
    return guard
