"""The network guard: what is refused in replay, what is not, and that refusing is latched."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
import weakref
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pytest_agentops.errors import AgentOpsError, NetworkBlocked
from pytest_agentops.runner import prepare
from pytest_agentops.runner.network import NetworkGuard, network_guard

FAR = "93.184.216.34"


def raw():
    with socket.socket() as sock:
        sock.settimeout(0.2)
        sock.connect((FAR, 80))


def udp():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"x", (FAR, 53))


def lookup():
    socket.getaddrinfo("example.com", 443)


def lookup_bytes():
    socket.getaddrinfo(b"example.com", 443)


def by_name():
    socket.gethostbyname("example.com")


def by_address():
    socket.gethostbyaddr(FAR)


def url():
    urllib.request.urlopen("http://example.com", timeout=0.2)


def with_urllib3():
    import urllib3

    urllib3.PoolManager(retries=False).request("GET", "http://example.com", timeout=0.2)


def with_requests():
    import requests

    requests.get("http://example.com", timeout=0.2)


def with_httpx():
    import httpx

    httpx.get("http://example.com", timeout=0.2)


async def streams():
    await asyncio.open_connection(FAR, 80)


async def a_lookup():
    await asyncio.get_running_loop().getaddrinfo("example.com", 443)


WAYS = [raw, udp, lookup, lookup_bytes, by_name, by_address, url, streams, a_lookup]
for needs, way in (("urllib3", with_urllib3), ("requests", with_requests), ("httpx", with_httpx)):
    try:
        __import__(needs)
    except ImportError:
        continue
    WAYS.append(way)


def swallowing(way):
    if asyncio.iscoroutinefunction(way):

        async def agent(task, tools):
            try:
                await way()
            except BaseException:
                return "no matter"

        return agent

    def agent(task, tools):
        try:
            way()
        except BaseException:
            return "no matter"

    return agent


@pytest.mark.parametrize("way", WAYS)
def test_a_connect_is_refused_and_latched_although_it_was_swallowed(way, lab, monkeypatch) -> None:
    monkeypatch.setattr(prepare, "_CLIENTS", ())  # as where none of them is loaded when the trial begins
    lab.record(lambda task, tools: "no matter")
    run = lab.run(swallowing(way))
    assert run.output == "no matter"
    assert set(lab.kinds(run)) == {"network"}
    text = run.problems[0].text
    assert "network is off in replay" in text
    assert "network: {allow:" in text
    assert not run.success


@pytest.mark.parametrize("way", [way for way in WAYS if way.__name__ in ("url", "with_urllib3", "with_requests", "with_httpx")])
def test_a_request_of_a_client_that_is_loaded_is_a_miss(way, lab) -> None:
    lab.record(lambda task, tools: "no matter")
    run = lab.run(swallowing(way))
    assert lab.kinds(run) == ["miss"]
    assert run.miss["reason"] == "no-model-layer"
    assert not run.success


def test_a_thread_is_no_way_around(lab) -> None:
    lab.record(lambda task, tools: "x")

    def agent(task, tools):
        thread = threading.Thread(target=swallowing(raw), args=(task, tools))
        thread.start()
        thread.join()

    assert lab.kinds(lab.run(agent)) == ["network"]


def test_a_factory_that_connects_and_swallows_is_seen(lab) -> None:
    lab.record(lambda task, tools: "x")

    def make():
        swallowing(raw)(None, None)
        return []

    assert lab.kinds(lab.run(lambda task, tools: "x", make)) == ["network"]


def test_a_factory_that_connects_is_told_how_not_to(lab) -> None:
    lab.record(lambda task, tools: "x")

    def make():
        raw()
        return []

    run = lab.run(lambda task, tools: "x", make)
    assert lab.kinds(run) == ["setup"]
    assert "connect on first use" in run.stop
    assert f"{FAR}:80" in run.stop
    assert lab.kinds(lab.run(lambda task, tools: "x")) == [], "the next trial starts with a clean slate"


class Hello(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(params=["127.0.0.1", "0.0.0.0"])
def server(request) -> Iterator[int]:
    network_guard()
    with ThreadingHTTPServer((request.param, 0), Hello) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield httpd.server_address[1]
        httpd.shutdown()
        thread.join()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_fixtures_own_server(host, lab, server) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def agent(task, tools):
        with opener.open(f"http://{host}:{server}/", timeout=5) as answer:
            return answer.read().decode()

    lab.record(agent)
    run = lab.run(agent)
    assert run.output == "hello"
    # by ::1 first, perhaps: the server does not listen there, and only that is refused
    assert {p.data["address"] for p in run.problems} <= {f"::1:{server}"}


def test_localhost_by_name_straight_to_the_socket(lab, server) -> None:
    def agent(task, tools):
        with socket.create_connection(("127.0.0.1", server)), socket.socket() as other:
            other.connect(("localhost", server))
        return "ok"

    lab.record(agent)
    assert lab.run(agent).success


def test_a_server_on_all_interfaces_opens_no_other_machine(server) -> None:
    guard = network_guard()
    with guard.on(), socket.socket() as sock:
        sock.settimeout(0.2)
        with pytest.raises(NetworkBlocked):
            sock.connect((FAR, server))
    assert guard.drain()[0] == [f"{FAR}:{server}"]


def test_what_listened_once_is_forgotten() -> None:
    guard = network_guard()
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen()
    port = sock.getsockname()[1]
    sock.close()
    with guard.on(), socket.socket() as other, pytest.raises(NetworkBlocked):
        other.connect(("127.0.0.1", port))
    with socket.socket() as unbound:
        unbound.bind(("127.0.0.1", 0))
        with guard.on(), socket.socket() as other, pytest.raises(NetworkBlocked):
            other.connect(unbound.getsockname())  # bound, but nobody listens
    gone = weakref.ref(sock)
    del sock
    gc.collect()
    assert gone() is None
    guard.drain()


@pytest.mark.parametrize("entry", ["127.0.0.1", "localhost"])
def test_what_the_case_allows(entry, lab) -> None:
    child = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); print(s.getsockname()[1], flush=True);"
            "[s.accept() for _ in range(9)]",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        port = int(child.stdout.readline())

        def agent(task, tools):
            with socket.create_connection((entry, port), timeout=5):
                return "ok"

        lab.record(agent)
        refused = lab.run(agent)
        assert refused.outcome == "error"
        assert "network" in lab.kinds(refused)
        allowed = lab.run(agent, network={"allow": [f"{entry}:{port}"]})
        assert allowed.output == "ok", allowed.error
        assert lab.kinds(lab.run(agent, network={"allow": [f"{entry}:{port + 1}"]}))[:1] == ["network"]
    finally:
        child.kill()
        child.wait()
        assert child.stdout is not None
        child.stdout.close()


def test_an_allowed_name_that_nobody_knows(monkeypatch) -> None:
    guard = NetworkGuard()

    def unknown(*args: object) -> None:
        raise OSError("no such name")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with guard.on(["db.example:5432"]), socket.socket() as sock, pytest.raises(NetworkBlocked):
        guard.hook("socket.connect", (sock, ("10.1.1.1", 5432)))
    with guard.on(["db.example:5432"]):
        guard.hook("socket.getaddrinfo", ("db.example", 5432))
        with pytest.raises(NetworkBlocked):
            guard.hook("socket.gethostbyname", ("other.example",))
    with guard.on(["[fe80::1]:5432"]), socket.socket() as sock:
        guard.hook("socket.connect", (sock, ("fe80::1", 5432, 0, 0)))


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="this system has no unix sockets")
def test_unix_sockets_stay_open(lab, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)

    def agent(task, tools):
        with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
            listener.bind("s")
            listener.listen()
            client.connect("s")
            os.unlink("s")
        a, b = socket.socketpair()
        a.close()
        b.close()
        return "ok"

    lab.record(agent)
    assert lab.run(agent).success


def test_live_has_no_guard(lab) -> None:
    def agent(task, tools):
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", 9)) != 0

    run = lab.run(agent, mode="live")
    assert run.output is True
    assert run.success


def test_children_are_noted_in_replay(lab) -> None:
    def agent(task, tools):
        code = "import os; print(os.environ.get('PYTEST_AGENTOPS_REPLAY'))"
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()

    recorded = lab.record(agent)
    assert (recorded.output, recorded.labels) == ("None", ["recorded"])
    run = lab.run(agent)
    assert (run.output, run.labels) == ("1", ["child_process"])


def test_the_names_of_children() -> None:
    guard = NetworkGuard()
    with guard.on():
        guard.hook("os.fork", ())
        guard.hook("os.system", (b"ls",))
        guard.hook("subprocess.Popen", (None, ["git", "log"], None, None))
        guard.hook("os.fork", (None,))
        guard.hook("subprocess.Popen", ("uname", ["uname", "-p"], None, None))  # Python's own platform module
    guard.hook("os.system", (b"off",))
    assert guard.drain()[1] == ["?", "ls", "['git', 'log']", "?"]


def test_strays_and_the_threads_that_they_start() -> None:
    """By the events alone: Python tells of the start of threads from 3.12 on."""
    guard, told, go = NetworkGuard(), [], threading.Event()
    tries: list[object] = []

    def connect() -> None:
        go.wait(5)
        with socket.socket() as sock:
            for port in (80, 81):
                try:
                    guard.hook("socket.connect", (sock, (FAR, port)))
                except NetworkBlocked as error:
                    tries.append(error.address)

    def parent(event: str, child: threading.Thread) -> None:
        guard.hook(event, (child._bootstrap, (), None))
        child.start()

    def run(thread: threading.Thread) -> None:
        thread.join(5)
        assert not thread.is_alive()

    strays = [threading.Thread(target=connect)]
    children = [threading.Thread(target=connect) for _ in range(2)]
    for event, child in zip(("_thread.start_new_thread", "_thread.start_joinable_thread"), children, strict=True):
        strays.append(threading.Thread(target=lambda event=event, child=child: (time.sleep(0.1), parent(event, child))))
    for thread in strays:
        thread.start()
    with guard.on([f"{FAR}:81"]):
        guard.stray(strays, told.append)
    for thread in strays[1:]:
        run(thread)
    with socket.socket() as sock:
        guard.hook("socket.connect", (sock, (FAR, 80)))  # another thread, and the guard is off
    guard.hook("_thread.start_new_thread", (print, (), None))
    go.set()
    for thread in (strays[0], *children):
        run(thread)
    assert tries == [f"{FAR}:80"] * 3, "each of them, and what the case had allowed stays allowed"
    assert [text.partition("\n")[0] for text in told] == [
        f"network is off in replay, and a thread that the agent left behind tried to connect to {FAR}:80"
    ] * 3
    assert guard.drain()[0] == [], "the case that runs now is not blamed"


def test_raw_sockets_can_be_bound() -> None:
    import _socket

    network_guard()
    sock = _socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.close()


def test_the_self_test() -> None:
    network_guard().self_test()
    deaf = NetworkGuard()  # not installed: it hears nothing
    with pytest.raises(AgentOpsError, match="does not work on this Python"):
        deaf.self_test()


def test_the_hook_by_itself() -> None:
    """A guard that is not installed, event by event: Python traces no audit hooks, so coverage does not see them at work."""
    guard = NetworkGuard()
    with socket.socket() as listener, socket.socket() as closed, socket.socket() as client:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        guard.hook("socket.bind", (listener, ("127.0.0.1", 0)))
        guard.hook("socket.bind", (closed, ("127.0.0.1", 0)))
        guard.hook("socket.bind", (5, None))  # takes no weak reference, like a bare _socket.socket
        closed.close()
        guard.hook("socket.connect", (client, (FAR, 80)))  # off: nothing is refused
        with guard.on():
            guard.hook("socket.connect", (client, ("127.0.0.1", port)))
            guard.hook("socket.connect", (client, (b"localhost", port)))
            guard.hook("socket.sendmsg", (client, None))  # a connected socket names no address
            guard.hook("socket.connect", (client, "/a/path"))
            guard.hook("socket.getaddrinfo", (None, 80))
            guard.hook("socket.getaddrinfo", ("127.0.0.1", 80))
            guard.hook("open", ("file", "r", 0))
            for event, host in (("socket.connect", FAR), ("socket.connect", "127.0.0.1"), ("socket.sendto", "::1")):
                with pytest.raises(NetworkBlocked):
                    guard.hook(event, (client, (host, port + 1)))
        assert guard.drain()[0] == [f"{FAR}:{port + 1}", f"127.0.0.1:{port + 1}", f"::1:{port + 1}"]
        with guard.on([f"127.0.0.1:{port + 1}"]):
            guard.hook("socket.connect", (client, ("127.0.0.1", port + 1)))
