"""A person at a real terminal: asked past pytest's capturing, recorded, given again; and nobody where nobody sits."""

from __future__ import annotations

import contextlib
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Sequence

import pytest

from .conftest import Project
from .test_policies import Shop, shop  # noqa: F401  a fixture

fcntl = pytest.importorskip("fcntl")
pty = pytest.importorskip("pty")
termios = pytest.importorskip("termios")

CASE = "- {id: one, task: go, principal: {id: bot}, setup: {amounts: [100, 200]}}"
SECONDS = 60


class Sitting:
    """Pytest in a terminal of its own, with somebody who answers its prompts."""

    def __init__(self, project: Project, *args: str, env: dict[str, str] | None = None) -> None:
        self.screen = ""
        self.asked: list[str] = []
        ours, theirs = pty.openpty()
        words = [sys.executable, "-m", "pytest", "-p", "pytest_agentops.plugin", "--agent-evals", *args]
        self._master = ours
        self._process = subprocess.Popen(
            words,
            cwd=project.path,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(theirs, termios.TIOCSCTTY, 0),
            env={**os.environ, "COLUMNS": "200", **(env or {})},
        )
        os.close(theirs)

    def answers(self, *pairs: tuple[str, str]) -> int:
        """Wait for each prompt, then type the line; gives the exit code."""
        for prompt, line in pairs:
            self._until(prompt)
            os.write(self._master, f"{line}\n".encode())
        return self.ends()

    def ends(self) -> int:
        with contextlib.suppress(OSError):
            self._until(None)
        code = self._process.wait(SECONDS)
        os.close(self._master)
        return code

    def _until(self, prompt: str | None) -> None:
        seen, deadline = len(self.screen), time.monotonic() + SECONDS
        while prompt is None or not re.search(prompt, self.screen[seen:]):
            ready, _, _ = select.select([self._master], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"no {prompt!r} on the screen:\n{self.screen}"
            try:
                data = os.read(self._master, 4096)
            except OSError:  # the other side is closed
                data = b""
            if not data:
                assert prompt is None, f"it ended without {prompt!r}:\n{self.screen}"
                return
            self.screen += data.decode("utf-8", "replace").replace("\r\n", "\n")


APPROVE: Sequence[tuple[str, str]] = ((r"e\[s\]calate\? $", "a"), (r"your name.*: $", "ann"), (r"note.*: $", "fine"))
EDIT: Sequence[tuple[str, str]] = (
    (r"e\[s\]calate\? $", "what?"),
    (r"please answer a, e, r or s\n.*e\[s\]calate\? $", "edit"),
    (r"your name.*: $", "bob"),
    (r"new values as JSON.*: $", "thirty"),
    (r"please write one JSON object\n.*: $", '{"amount_usd": 30}'),
    (r"why.*: $", "half is fair"),
)


def test_asked_recorded_and_replayed(shop: Shop, project: Project) -> None:  # noqa: F811
    shop.suite(CASE)
    first = Sitting(project, "--agent-record=all")
    assert first.answers(*APPROVE, *EDIT) == 0, first.screen
    assert "--- approval needed ---" in first.screen
    assert re.search(r"tool +pay\.refund\nasked by +bot\nrole +boss\nrule +refunds/2\n", first.screen), first.screen
    assert re.search(r'amount_usd +100\n +card +"<<card:1>>"\n', first.screen), "the screen shows no secret either"
    assert re.search(r'dry run +{"would_pay":100\.?0?}', first.screen)
    assert sorted(shop.paid) == ["100", "30"]
    assert {act["source"] for act in shop.runs["pay/one"]["interventions"]} == {"terminal"}
    tape = project.path / "cassettes/pay/one/tools.yaml"
    text = tape.read_text()
    assert "by: ann" in text
    assert "CANARY" not in text

    replayed = project.evals()
    assert replayed.ret == 0, replayed.stdout.str()
    acts = shop.runs["pay/one"]["interventions"]
    assert [(a["kind"], a["by"], a["source"], a.get("message")) for a in acts] == [
        ("approve", "ann", "recorded", "fine"),
        ("edit", "bob", "recorded", "half is fair"),
    ]
    replayed.stdout.fnmatch_lines(['  pay/one: edit of pay.refund by bob (boss, recorded) {"amount_usd":30}: half is fair'])

    again = Sitting(project, "--agent-record=all")
    assert again.answers(*APPROVE, *EDIT) == 0, again.screen
    assert tape.read_text() == text, "equal answers leave no diff"


def test_nobody_is_asked_under_ci(shop: Shop, project: Project) -> None:  # noqa: F811
    shop.suite(CASE)
    sitting = Sitting(project, "--agent-record=all", "--agent-allow-live", env={"CI": "true"})
    assert sitting.ends() == 1
    assert "approval needed" not in sitting.screen
    assert "interrupted" in sitting.screen
    assert shop.paid == []


def test_nobody_is_asked_in_replay(shop: Shop, project: Project) -> None:  # noqa: F811
    shop.suite(CASE.replace("[100, 200]", "[20]"))
    project.record()
    shop.suite(CASE)
    sitting = Sitting(project)
    assert sitting.ends() == 1
    assert "approval needed" not in sitting.screen


def test_a_terminal_that_hangs_up_is_no_approval(shop: Shop, project: Project) -> None:  # noqa: F811
    shop.suite(CASE.replace("[100, 200]", "[100]"))
    sitting = Sitting(project, "--agent-record=all")
    sitting._until(r"e\[s\]calate\? $")
    os.write(sitting._master, b"\x04")  # Ctrl-D
    assert sitting.ends() == 0, sitting.screen
    run = shop.runs["pay/one"]
    assert (run["calls"][0]["reason"], run["interventions"], shop.paid) == ("approval_timeout", [], [])


def test_without_a_terminal_there_is_nobody(shop: Shop, project: Project) -> None:  # noqa: F811
    shop.suite(CASE)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "pytest_agentops.plugin", "--agent-evals", "--agent-record=all"],
        cwd=project.path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 1
    assert "nobody answered" in done.stdout
    assert shop.paid == []
