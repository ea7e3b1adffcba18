"""The network guard: while a trial replays, every connect of this process is refused.

It is an audit hook, which sees sockets whatever library opens them, in every thread. Python cannot remove an audit hook, so the
process has one guard, installed on first use and switched on only around a replay. A thread that an agent left behind stays
without network when the replay is over. Child processes are not seen; that one was started is noted.
"""

from __future__ import annotations

import functools
import socket
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from ..errors import AgentOpsError, NetworkBlocked
from .inside import is_inside_tool

_LOOKUPS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo")
_SENDS = ("socket.connect", "socket.sendto", "socket.sendmsg")
_THREADS = ("_thread.start_new_thread", "_thread.start_joinable_thread")
_CHILDREN = ("subprocess.Popen", "os.posix_spawn", "os.spawn", "os.system", "os.exec", "os.fork", "os.forkpty")
_PYTESTS_OWN = (b"PYTEST_CURRENT_TEST", "PYTEST_CURRENT_TEST")
"""What pytest sets for every phase of every test."""
_OWN_HOSTS = ("localhost", "::1", "", "None", "0.0.0.0", "::")
_EVERYWHERE = ("0.0.0.0", "::", "")


@dataclass(frozen=True, slots=True)
class Stray:
    """What a thread that an agent left behind may still do, and who is told of what it tries."""

    allowed: frozenset[str]
    told: Callable[[str], None] | None


class NetworkGuard:
    """Refuses connects while switched on, and remembers what it saw."""

    def __init__(self) -> None:
        self._allowed: frozenset[str] | None = None
        self._tools_out = False
        self._strays: dict[threading.Thread, Stray] = {}
        self._bound: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._lock = threading.RLock()
        self.environment = 0
        """How often the process's environment was changed: what was read from it holds as long as this does."""
        self.blocked: list[str] = []
        self.children: list[str] = []

    def hook(self, event: str, args: tuple[Any, ...]) -> None:
        """The audit hook; it runs for every event of the process, so the common case leaves at once."""
        if event[:7] == "socket.":
            if event == "socket.bind":
                self._note_bind(args[0])
            elif self._strays and (stray := self._stray()) is not None:
                self._check(event, args, stray.allowed, stray)
            elif self._allowed is not None and not (self._tools_out and is_inside_tool()):
                self._check(event, args, self._allowed)
        elif self._allowed is not None and event in _CHILDREN:
            name = _child_name(args)
            if name != "uname":  # Python's own `platform`, which SDKs ask on their first request
                self.children.append(name)
        elif self._strays and event in _THREADS:
            self._inherit(args[0])
        elif (event == "os.putenv" or event == "os.unsetenv") and args[0] not in _PYTESTS_OWN:
            self.environment += 1

    def stray(self, threads: Iterable[threading.Thread], told: Callable[[str], None] | None) -> None:
        """These threads outlive the replay that is on now: they get no network either, and `told` hears of it."""
        stray = Stray(self._allowed or frozenset(), told)
        with self._lock:
            self._strays = {thread: known for thread, known in self._strays.items() if thread.is_alive()}
            self._strays.update(dict.fromkeys(threads, stray))

    def _stray(self) -> Stray | None:
        """Whether the current thread is one; asked by number, since asking for the thread may make one."""
        me = threading.get_ident()
        with self._lock:
            return next((s for thread, s in self._strays.items() if thread.ident == me and thread.is_alive()), None)

    def _inherit(self, function: object) -> None:
        """A stray's threads are strays."""
        thread, stray = getattr(function, "__self__", None), self._stray()
        if stray is not None and isinstance(thread, threading.Thread):
            with self._lock:
                self._strays = {**self._strays, thread: stray}

    def _note_bind(self, sock: socket.socket) -> None:
        with self._lock, suppress(TypeError):  # a raw _socket.socket takes no weak reference; it needs network.allow
            self._bound.add(sock)

    def _check(self, event: str, args: tuple[Any, ...], allowed: frozenset[str], stray: Stray | None = None) -> None:
        if event in _LOOKUPS:
            host = _text(args[0][0] if isinstance(args[0], tuple) else args[0])
            if not _is_own(host) and not any(_split(entry)[0] == host for entry in allowed):
                self._refuse(f"{host}:{args[1]}" if len(args) > 1 else host, stray)
        elif event in _SENDS:
            sock, address = args[0], args[1]
            if getattr(sock, "family", None) == getattr(socket, "AF_UNIX", None) or not isinstance(address, tuple):
                return
            host, port = _text(address[0]), address[1]
            if not _is_allowed(allowed, host, port) and not self._is_ours(host, port):
                self._refuse(f"{host}:{port}", stray)

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

    def _refuse(self, address: str, stray: Stray | None) -> None:
        if stray is None:
            self.blocked.append(address)
        elif stray.told is not None:
            stray.told(refused("a thread that the agent left behind", address))
        raise NetworkBlocked(address)

    @contextmanager
    def on(self, allow: Sequence[str] = (), *, tools: bool = False) -> Iterator[NetworkGuard]:
        """Refuse connects until the block ends; `allow` lists ``host:port``. With `tools`, code inside a tool is let out."""
        before = self._allowed, self._tools_out
        self._allowed, self._tools_out = frozenset(allow), tools
        try:
            yield self
        finally:
            self._allowed, self._tools_out = before

    def is_on(self, allow: Sequence[str] = (), *, tools: bool = False) -> bool:
        """Whether it refuses just what `on` with these words would."""
        return self._allowed is not None and self._tools_out == tools and self._allowed == frozenset(allow)

    @contextmanager
    def off(self) -> Iterator[None]:
        """Let everything through until the block ends."""
        before = self._allowed
        self._allowed = None
        try:
            yield
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


def _is_allowed(allowed: Iterable[str], host: str, port: int) -> bool:
    """Whether the case allows it; an entry with a name allows what the name stands for."""
    for entry in allowed:
        name, number = _split(entry)
        if number == str(port) and (name == host or host in _addresses(name)):
            return True
    return False


def refused(who: str, address: str) -> str:
    """The sentence for a person, with the cures."""
    return (
        f"network is off in replay, and {who} tried to connect to {address}\n"
        "  cure: reach it inside a tool (its answer is recorded), or allow it in the case: "
        f'network: {{allow: ["{address}"]}}'
    )


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
