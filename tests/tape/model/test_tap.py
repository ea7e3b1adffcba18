"""What the tap tells its traffic: each request once, in the order of issue, and whether it was answered or has failed."""

from __future__ import annotations

import asyncio
import http.client
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import aiohttp.web
import anthropic
import httpx
import httpx2
import openai
import pytest
import requests
import urllib3

from pytest_agentops.errors import AgentOpsError, BudgetExceeded, CassetteMiss
from pytest_agentops.tape.model.exchange import Request, Response
from pytest_agentops.tape.model.selftest import self_test
from pytest_agentops.tape.model.tap import Halted, tapped

from ...servers.protocol import ProtocolServer, call, fail, raw, say, too_many, use_tools
from ...servers.traffic import Heard, Replayed

ASK: Any = [{"role": "user", "content": "hi"}]
NOWHERE = "http://127.0.0.1:1"
"""Nothing listens there."""


def chat(url: str, content: str = "hi", **options: Any) -> str | None:
    client = openai.OpenAI(base_url=url + "/v1", api_key="k", **options)
    return client.chat.completions.create(model="m", messages=[{"role": "user", "content": content}]).choices[0].message.content


# --- order, threads, tasks


def test_requests_of_threads_are_told_in_the_order_of_issue() -> None:
    """The first to be issued is the last to be answered."""
    with ProtocolServer(lambda body: say("x").but(delay=0.3 if body["n"] == 0 else 0.0)) as server:
        heard = Heard()
        with tapped(heard), ThreadPoolExecutor(8) as pool:
            made = []
            for n in range(8):
                made.append(pool.submit(requests.post, server.url + f"/{n}", json={"n": n}))
                while len(heard.issued) <= n:
                    time.sleep(0.001)
            assert all(one.result().status_code == 200 for one in made)
    assert [one.request.path for one in heard.exchanges] == [f"/{n}" for n in range(8)]
    assert heard.told[-1] == ("arrived", "/0")


@pytest.mark.parametrize("library", [httpx, httpx2, aiohttp], ids=lambda library: library.__name__)
def test_requests_of_tasks_are_told_in_the_order_of_issue(library: Any) -> None:
    async def ask(url: str) -> list[int]:
        async with library.ClientSession() if library is aiohttp else library.AsyncClient() as client:
            answers = await asyncio.gather(*(client.post(f"{url}/{n}", json={"n": n}) for n in range(6)))
            return [one.status if library is aiohttp else one.status_code for one in answers]

    with ProtocolServer(lambda body: say("x").but(delay=0.2 if body["n"] == 0 else 0.0)) as server:
        heard = Heard()
        with tapped(heard):
            assert asyncio.run(ask(server.url)) == [200] * 6
    assert sorted(one.request.path for one in heard.exchanges) == [f"/{n}" for n in range(6)]
    assert heard.told[:6] == [("answer", f"/{n}") for n in range(6)]
    assert heard.told[-1] == ("arrived", "/0")


def test_sixteen_threads_with_one_question_get_each_answer_once() -> None:
    with ProtocolServer([f"answer {n}" for n in range(48)]) as server, closing(httpx2.Client()) as client:

        def ask(_: int) -> str:
            return str(
                client.post(server.url + "/v1/chat/completions", json={"model": "m"}).json()["choices"][0]["message"]["content"]
            )

        heard = Heard()
        with tapped(heard), ThreadPoolExecutor(16) as pool:
            live = sorted(pool.map(ask, range(48)))
        replayed = Replayed(heard)
        with tapped(replayed), ThreadPoolExecutor(16) as pool:
            again = sorted(pool.map(ask, range(48)))
        assert server.count == 48
    assert live == again == sorted(f"answer {n}" for n in range(48))


def test_one_library_does_not_uncover_another() -> None:
    """While vcr makes and opens a connection of one library, the requests of other threads are seen none the less."""
    stop = threading.Event()
    heard = Heard()

    def knock(url: str) -> int:
        count = 0
        while not stop.is_set():
            urllib3.HTTPConnectionPool(urlsplit(url).hostname or "", urlsplit(url).port).request("GET", "/a")
            count += 1
        return count

    with ProtocolServer(lambda body: say("x")) as server, tapped(heard), ThreadPoolExecutor(3) as pool:
        knocks = [pool.submit(knock, server.url) for _ in range(2)]
        with httpx.Client() as client:
            for _ in range(25):
                client.get(server.url + "/b")
        stop.set()
        total = sum(one.result() for one in knocks)
        assert server.count == total + 25
    assert len(heard.exchanges) == total + 25
    assert sum(one.request.path == "/b" for one in heard.exchanges) == 25


# --- clients older than the tap


class Kept(http.client.HTTPConnection):
    """A class made before any tap."""


@pytest.mark.parametrize("kind", ["openai", "requests", "urllib3", "httpx", "http.client", "subclass"])
def test_a_client_with_an_open_connection_from_before_is_seen(kind: str) -> None:
    with ProtocolServer(lambda body: say("x")) as server:
        place = urlsplit(server.url)
        closers: list[Callable[[], None]] = []

        def made() -> Callable[[str], Any]:
            if kind == "openai":
                client = openai.OpenAI(base_url=server.url, api_key="k")
                closers.append(client.close)
                return lambda path: client.get(path, cast_to=object)
            if kind == "requests":
                session = requests.Session()
                closers.append(session.close)
                return lambda path: session.get(server.url + path).content
            if kind == "urllib3":
                pool = urllib3.HTTPConnectionPool(place.hostname or "", place.port, maxsize=1, block=True)
                closers.append(pool.close)
                return lambda path: pool.request("GET", path).data
            if kind == "httpx":
                web = httpx.Client(base_url=server.url)
                closers.append(web.close)
                return lambda path: web.get(path).content
            connection = (Kept if kind == "subclass" else http.client.HTTPConnection)(place.netloc)
            closers.append(connection.close)

            def get(path: str) -> bytes:
                connection.request("GET", path)
                return connection.getresponse().read()

            return get

        get = made()
        get("/before")
        heard, later = Heard(), Heard()
        with tapped(heard):
            get("/within")
        get("/between")
        with tapped(later):
            get("/later")
            get("/again")
        with tapped(Replayed(later)):
            get("/later")
            get("/again")
        get("/after")
        for close in closers:
            close()
        assert [one.path for one in server.requests] == ["/before", "/within", "/between", "/later", "/again", "/after"]
    assert [one.path for one in heard.issued] == ["/within"]
    assert [one.request.path for one in later.exchanges] == ["/later", "/again"]


def test_a_connection_made_in_an_earlier_tap_belongs_to_the_next() -> None:
    with ProtocolServer(lambda body: say("x")) as server:
        first, second = Heard(), Heard()
        with tapped(first), requests.Session() as session:
            session.get(server.url + "/1")
            held = urllib3.connection.HTTPConnection(urlsplit(server.url).hostname or "", urlsplit(server.url).port)
        with closing(held), tapped(second):
            held.request("GET", "/2")
            held.getresponse().read()
    assert [one.path for one in first.issued] == ["/1"]
    assert [one.path for one in second.issued] == ["/2"]


def test_a_request_that_a_library_asks_about_twice_is_told_once() -> None:
    with ProtocolServer([say("x")]) as server:
        heard = Heard()
        place = urlsplit(server.url)
        for traffic in (heard, Replayed):
            with tapped(traffic if isinstance(traffic, Heard) else traffic(heard)):
                connection = urllib3.connection.HTTPConnection(place.hostname or "", place.port)
                with closing(connection):
                    connection.request("GET", "/x")
                    connection.connect()
                    assert b"/x" in connection.getresponse().read()
        assert server.count == 1
    assert heard.told == [("answer", "/x"), ("arrived", "/x")]


def test_a_cassette_of_the_agents_own_works_inside(tmp_path: Path) -> None:
    import vcr

    with ProtocolServer([say("x")]) as server:
        for _ in range(2):
            with tapped(Heard()), vcr.use_cassette(str(tmp_path / "own.yaml")):
                http.client.HTTPSConnection("localhost").close()
                with urllib.request.urlopen(server.url + "/own") as answer:
                    assert b"/own" in answer.read()
        assert server.count == 1


# --- what is none of the model layer


def test_what_the_traffic_lets_pass_is_sent_and_not_told() -> None:
    class Picky(Heard):
        def passes(self, request: Request) -> bool:
            return request.path.startswith("/tool")

    async def ask(url: str) -> None:
        async with aiohttp.ClientSession() as session:
            assert (await (await session.get(url + "/tool/aiohttp", allow_redirects=True)).json())["text"] == "x"
        async with httpx2.AsyncClient() as client:
            await client.get(url + "/tool/httpx2")

    heard = Picky()
    with ProtocolServer(lambda body: say("x")) as server, tapped(heard):
        requests.get(server.url + "/tool/requests")
        httpx.get(server.url + "/tool/httpx")
        with closing(http.client.HTTPConnection(urlsplit(server.url).netloc)) as connection:
            connection.request("GET", "/tool/http.client")
            connection.getresponse().read()
        asyncio.run(ask(server.url))
        httpx.get(server.url + "/model")
        assert server.count == 6
    assert heard.told == [("answer", "/model"), ("arrived", "/model")]


def test_what_goes_on_below_a_request_is_not_seen_twice() -> None:
    """An app that answers in this process asks a server itself: one request of the agent is one request."""
    with ProtocolServer(lambda body: say("below")) as server:

        def app(environ: Any, start_response: Any) -> list[bytes]:
            start_response("200 OK", [("content-type", "application/json")])
            return [requests.get(server.url + "/below").content]

        def ask() -> bytes:
            with httpx.Client(transport=httpx.WSGITransport(app), base_url="http://app") as client:
                return client.get("/outer").content

        heard = Heard()
        with tapped(heard):
            live = ask()
        with tapped(Replayed(heard)):
            assert ask() == live
        assert server.count == 1
    assert heard.told == [("answer", "/outer"), ("arrived", "/outer")]


# --- redirects


async def _redirected_aiohttp(url: str) -> Any:
    async with aiohttp.ClientSession() as session, session.post(url + "/a?x=1", json={"n": 1}) as answer:
        return answer.status, str(answer.url), await answer.read(), [str(one.url) for one in answer.history]


def _redirected_requests(url: str) -> Any:
    answer = requests.post(url + "/a?x=1", json={"n": 1})
    return answer.status_code, answer.url, answer.content, [one.url for one in answer.history]


def _redirected_httpx(url: str) -> Any:
    answer = httpx.post(url + "/a?x=1", json={"n": 1}, follow_redirects=True)
    return answer.status_code, str(answer.url), answer.content, [str(one.url) for one in answer.history]


@pytest.mark.parametrize("ask", [_redirected_aiohttp, _redirected_requests, _redirected_httpx])
def test_each_request_of_a_redirect_is_told_and_replayed(ask: Callable[[str], Any]) -> None:
    def run(url: str) -> Any:
        made = ask(url)
        return asyncio.run(made) if asyncio.iscoroutine(made) else made

    with ProtocolServer([raw("", status=302, location="/b"), raw("", status=303, location="/c"), say("end")]) as server:
        heard = Heard()
        with tapped(heard):
            live = run(server.url)
        assert [(one.request.method, one.request.path, one.response.status) for one in heard.exchanges] == [
            ("POST", "/a", 302),
            ("GET", "/b", 303),
            ("GET", "/c", 200),
        ]
        assert not heard.lost
        replayed = Replayed(heard)
        with tapped(replayed):
            assert run(server.url) == live
        assert not replayed.left
        assert server.count == 3


def test_a_request_that_a_redirect_sends_again_keeps_its_body() -> None:
    with ProtocolServer([raw("", status=307, location="/b"), say("end")]) as server:
        heard = Heard()
        with tapped(heard):
            live = asyncio.run(_redirected_aiohttp(server.url))
        assert [(one.method, one.path, one.body) for one in heard.issued] == [
            ("POST", "/a", b'{"n": 1}'),
            ("POST", "/b", b'{"n": 1}'),
        ]
        assert [one.body for one in server.requests] == [b'{"n": 1}'] * 2
        replayed = Replayed(heard)
        with tapped(replayed):
            assert asyncio.run(_redirected_aiohttp(server.url)) == live
        assert not replayed.left
        assert server.count == 2


# --- failures


async def _async_openai(url: str) -> None:
    async with openai.AsyncOpenAI(base_url=url, api_key="k", max_retries=1) as client:
        await client.chat.completions.create(model="m", messages=ASK)


async def _aiohttp(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        await session.post(url, json={})


FAILING: dict[str, tuple[Callable[[str], Any], int]] = {
    "openai": (lambda url: chat(url, max_retries=1), 2),
    "openai async": (lambda url: asyncio.run(_async_openai(url)), 2),
    "requests": (lambda url: requests.post(url, json={}), 1),
    "urllib3": (lambda url: urllib3.PoolManager().request("POST", url, retries=False), 1),
    "httpx": (lambda url: httpx.post(url, json={}), 1),
    "aiohttp": (lambda url: asyncio.run(_aiohttp(url)), 1),
}


@pytest.mark.parametrize("kind", FAILING)
@pytest.mark.parametrize("how", ["refused", "dropped", "cut"])
def test_a_request_without_a_whole_answer_has_failed(kind: str, how: str) -> None:
    ask, count = FAILING[kind]
    answer = say("x").but(drop=True) if how == "dropped" else raw(b"x" * 100).but(cut=10)
    with ProtocolServer([answer] * 2) as server:
        heard = Heard()
        with pytest.raises(Exception, match=r".") as caught, tapped(heard):
            ask(NOWHERE if how == "refused" else server.url)
    assert not isinstance(caught.value, AssertionError)
    assert [word for word, _ in heard.told] == ["answer", "failed"] * count
    assert heard.lost == heard.issued


def test_a_stream_cut_in_the_middle_has_failed_and_is_asked_again_by_the_sdk() -> None:
    with ProtocolServer([say("a long answer").but(cut=2), say("fine")]) as server:
        heard = Heard()
        with tapped(heard):
            client = openai.OpenAI(base_url=server.url + "/v1", api_key="k")
            live = list(client.chat.completions.create(model="m", messages=ASK, stream=True))
    assert [word for word, _ in heard.told] == ["answer", "failed", "answer", "arrived"]
    with tapped(Replayed(heard)):
        client = openai.OpenAI(base_url=NOWHERE + "/v1", api_key="k")
        assert list(client.chat.completions.create(model="m", messages=ASK, stream=True)) == live


def test_errors_and_retries_are_answers_as_they_came() -> None:
    with ProtocolServer([too_many(), fail(500, retry_after_ms="5"), say("third time")]) as server:
        heard = Heard()
        with tapped(heard):
            assert chat(server.url) == "third time"
        assert [one.response.status for one in heard.exchanges] == [429, 500, 200]
        assert ("retry-after-ms", "10") in heard.exchanges[0].response.headers
        replayed = Replayed(heard)
        with tapped(replayed):
            assert chat(server.url) == "third time"
        assert server.count == 3


def test_a_cancelled_request_has_failed() -> None:
    async def ask(url: str) -> None:
        async with httpx2.AsyncClient() as client:
            await asyncio.wait_for(client.get(url + "/slow"), 0.1)

    with ProtocolServer([say("x").but(delay=5)]) as server:
        heard = Heard()
        with tapped(heard), pytest.raises(TimeoutError):
            asyncio.run(ask(server.url))
    assert heard.told == [("answer", "/slow"), ("failed", "/slow")]


def test_what_is_open_when_the_tap_is_left_has_failed_and_its_answer_is_not_told() -> None:
    with ProtocolServer([say("late").but(delay=0.3)]) as server, ThreadPoolExecutor(1) as pool:
        heard = Heard()
        with tapped(heard):
            late = pool.submit(httpx.get, server.url + "/late")
            while not server.count:
                time.sleep(0.001)
        assert heard.told == [("answer", "/late"), ("failed", "/late")]
        assert late.result().json()["text"] == "late"
        assert httpx.get(server.url + "/none").status_code == 400
    assert heard.told == [("answer", "/late"), ("failed", "/late")]


# --- what the traffic raises


class Raising(Heard):
    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def answer(self, request: Request) -> Response | None:
        super().answer(request)
        raise self.error


async def _async(client: Any) -> Any:
    async with client:
        if isinstance(client, anthropic.AsyncAnthropic):
            return await client.messages.create(model="m", max_tokens=3, messages=ASK)
        return await client.chat.completions.create(model="m", messages=ASK)


async def _get(kind: Callable[[], Any]) -> Any:
    async with kind() as client:
        return await client.get(NOWHERE)


ASKING: dict[str, Callable[[], Any]] = {
    "openai": lambda: chat(NOWHERE),
    "openai async": lambda: asyncio.run(_async(openai.AsyncOpenAI(base_url=NOWHERE, api_key="k"))),
    "openai aiohttp": lambda: asyncio.run(
        _async(openai.AsyncOpenAI(base_url=NOWHERE, api_key="k", http_client=openai.DefaultAioHttpClient()))
    ),
    "anthropic": lambda: anthropic.Anthropic(base_url=NOWHERE, api_key="k").messages.create(
        model="m", max_tokens=3, messages=ASK
    ),
    "anthropic async": lambda: asyncio.run(_async(anthropic.AsyncAnthropic(base_url=NOWHERE, api_key="k"))),
    "requests": lambda: requests.get(NOWHERE),
    "urllib3": lambda: urllib3.PoolManager().request("GET", NOWHERE),
    "httpx": lambda: httpx.get(NOWHERE),
    "httpx2 async": lambda: asyncio.run(_get(httpx2.AsyncClient)),
    "aiohttp": lambda: asyncio.run(_get(aiohttp.ClientSession)),
}


class Ends(BaseException):
    pass


@pytest.mark.parametrize("kind", ASKING)
@pytest.mark.parametrize("error", [CassetteMiss("the report", data={}), BudgetExceeded("seconds", 1, 2), Ends("over")], ids=repr)
def test_what_the_traffic_raises_reaches_the_agent_at_once(kind: str, error: BaseException) -> None:
    """No SDK wraps it and none asks again: with their default retries that would take seconds."""
    traffic = Raising(error)
    with pytest.raises((Halted, Ends)) as caught, tapped(traffic):
        ASKING[kind]()
    assert [word for word, _ in traffic.told] == ["answer"]
    if isinstance(error, Exception):
        assert caught.value.error is caught.value.__cause__ is error
        assert str(caught.value) == str(error)
    else:
        assert caught.value is error


@pytest.mark.parametrize("kind", ["openai", "requests"])
def test_what_the_traffic_raises_about_an_answer_reaches_the_agent_too(kind: str) -> None:
    class Full(Heard):
        def arrived(self, request: Request, response: Response) -> None:
            super().arrived(request, response)
            raise BudgetExceeded("usd", 1, 2)

    heard = Full()
    with ProtocolServer([say("x")] * 3) as server, pytest.raises(Halted, match="budget exceeded"), tapped(heard):
        chat(server.url) if kind == "openai" else requests.get(server.url)
    assert [word for word, _ in heard.told] == ["answer", "arrived"]


# --- leaving no trace


@contextmanager
def unchanged() -> Iterator[None]:
    """Everything the tap patches is as it was afterwards."""
    import vcr.patch

    def state() -> list[Any]:
        kinds: list[Any] = [
            *(getattr(m, n) for m in (httpx, httpx2) for n in ("HTTPTransport", "AsyncHTTPTransport", "WSGITransport")),
            *(getattr(m, n) for m in (httpx, httpx2) for n in ("ASGITransport", "MockTransport")),
            *(aiohttp.ClientSession, http.client.HTTPConnection, http.client.HTTPSConnection),
            *(urllib3.HTTPConnectionPool, urllib3.HTTPSConnectionPool, vcr.stubs.VCRConnection),
        ]
        return [http.client.HTTPConnection, vcr.patch.force_reset, *(dict(vars(kind)) for kind in kinds)]

    before = state()
    yield
    assert state() == before


def test_the_patches_are_taken_off_also_after_an_error() -> None:
    with unchanged():
        with pytest.raises(ZeroDivisionError), tapped(Heard()):
            raise ZeroDivisionError
        with ProtocolServer([say("x")] * 2) as server, tapped(Heard()):
            requests.get(server.url)
            httpx2.get(server.url)


def test_vcr_is_imported_when_a_tap_is_opened_and_not_before() -> None:
    code = (
        "import sys; from pytest_agentops.tape.model.tap import tapped\n"
        "assert not {'vcr', 'httpx', 'aiohttp', 'requests', 'asyncio'} & set(sys.modules)\n"
        "from pytest_agentops.tape.model.selftest import self_test\n"
        "assert 'vcr' not in sys.modules\n"
        "print(self_test())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "['http.client', 'urllib3', 'httpx', 'httpx2', 'aiohttp']\n", done.stderr


# --- the self-test


def test_the_self_test_names_each_library_it_proved() -> None:
    assert self_test() == ["http.client", "urllib3", "httpx", "httpx2", "aiohttp"]


@pytest.mark.parametrize(
    ("patch", "library"),
    [("httplib", "http.client"), ("urllib3", "urllib3"), ("httpx", "httpx"), ("httpx2", "httpx2"), ("aiohttp", "aiohttp")],
)
def test_the_self_test_fails_where_a_library_is_not_patched(patch: str, library: str) -> None:
    with pytest.raises(AgentOpsError) as failed:
        self_test(skip=[patch])
    first, *rows = str(failed.value).splitlines()
    assert first.startswith(f"the model layer does not see the requests of {library}: http://agentops.invalid/self-test")
    assert rows[0].startswith(f"  {library}")
    assert rows[-1].startswith("  cure: use a vcrpy (installed: 9.")


# --- aiohttp's own ways to give a body


@pytest.mark.parametrize(
    ("options", "body", "content_type"),
    [
        ({"json": {"a": "ä"}}, b'{"a": "\\u00e4"}', "application/json"),
        ({"data": {"a": "1", "b": "x y"}}, b"a=1&b=x+y", "application/x-www-form-urlencoded"),
        ({"data": b"raw"}, b"raw", ""),
        ({"data": "text"}, b"text", ""),
        ({"data": aiohttp.JsonPayload({"a": 1})}, b'{"a": 1}', "application/json"),
        ({"data": b"{}", "headers": {"Content-Type": "application/json"}}, b"{}", "application/json"),
        ({}, b"", ""),
    ],
)
def test_the_body_that_aiohttp_sends_is_the_body_that_is_told(options: dict[str, Any], body: bytes, content_type: str) -> None:
    async def ask(url: str) -> None:
        async with aiohttp.ClientSession(base_url=url + "/deep/") as session:
            await (await session.post("er", **options)).read()

    heard = Heard()
    with ProtocolServer([say("x")]) as server, tapped(heard):
        asyncio.run(ask(server.url))
        assert server.requests[0].body == heard.issued[0].body == body
        assert server.requests[0].path == heard.issued[0].path == "/deep/er"
    assert heard.issued[0].content_type == content_type


def test_a_websocket_is_left_alone() -> None:
    async def echo(request: aiohttp.web.Request) -> aiohttp.web.WebSocketResponse:
        socket = aiohttp.web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(message.data + "!")
        return socket

    async def talk() -> str:
        app = aiohttp.web.Application()
        app.router.add_get("/ws", echo)
        runner = aiohttp.web.AppRunner(app)
        await runner.setup()
        await aiohttp.web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            port = runner.addresses[0][1]
            async with aiohttp.ClientSession() as session, session.ws_connect(f"http://127.0.0.1:{port}/ws") as socket:
                await socket.send_str("hi")
                return await socket.receive_str()
        finally:
            await runner.cleanup()

    heard = Heard()
    with tapped(heard):
        assert asyncio.run(asyncio.wait_for(talk(), 5)) == "hi!"
    assert not heard.told


def test_parallel_tool_calls_are_read_from_a_replayed_stream() -> None:
    with ProtocolServer([use_tools(call("a", x=1), call("b", y=2))]) as server:
        heard = Heard()

        def ask() -> list[tuple[str, str]]:
            client = openai.OpenAI(base_url=server.url + "/v1", api_key="k")
            with client.chat.completions.stream(model="m", messages=ASK) as stream:
                calls = stream.get_final_completion().choices[0].message.tool_calls or []
            return [(one.function.name, one.function.arguments) for one in calls]

        with tapped(heard):
            live = ask()
        with tapped(Replayed(heard)):
            assert ask() == live == [("a", '{"x": 1}'), ("b", '{"y": 2}')]
