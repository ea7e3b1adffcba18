"""The bundled suites with the real local model: recorded, replayed without it, another prompt in hybrid, the tools alone live.

Part of ``make test-live``; not collected by name. Which cases the model gets right is for the bundled recordings to say: another
CPU may round otherwise. What is tested here is that a replay is the run that was recorded.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cases.local_model import MODEL, environment, local_model
from tests.live.project import ROOT, Session, comparable, evals

WHERE = ("OPENAI_BASE_URL", "OPENAI_API_KEY", "NO_PROXY", "no_proxy")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the bundled suites and no recordings."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "pytest.ini").write_text("[pytest]\n")
    for suite in ("intake", "refunds"):
        shutil.copytree(ROOT / "cases" / suite, folder / "cases" / suite, ignore=shutil.ignore_patterns("__pycache__"))
        path = folder / "cases" / suite / f"{suite}.yaml"
        # whether a case passes is not the question here, and a mark that another CPU's answers disprove would be the failure
        path.write_text(re.sub(r"^ +xfail: .*\n", "", path.read_text(), flags=re.MULTILINE))
    return folder


@pytest.fixture(scope="module")
def server() -> Iterator[dict[str, str]]:
    """The variables under which clients find the model."""
    with local_model() as url:
        env = environment(url)
        yield {name: env[name] for name in WHERE}


def chosen(folder: Path) -> list[str]:
    """Three cases of each suite: the model takes seconds for every answer."""
    texts = {suite: (folder / "cases" / suite / f"{suite}.yaml").read_text() for suite in ("intake", "refunds")}
    ids = {suite: re.findall(r"^  - id: (\w+)", text, re.MULTILINE)[:3] for suite, text in texts.items()}
    return [f"cases/{suite}/{suite}.yaml::{ident}" for suite in ids for ident in ids[suite]]


@pytest.fixture(scope="module")
def recorded(place: Path, server: dict[str, str]) -> Session:
    session = evals(place, "--agent-record=once", *chosen(place), **server)
    assert session.code in (0, 1), session.text
    return session


def test_it_was_a_real_run(place: Path, recorded: Session) -> None:
    assert recorded.results["mode"] == "live"
    assert len(recorded.runs) == 6
    for name, run in recorded.runs.items():
        assert run["pins"]["model"] == MODEL, name
        assert run["tokens"]["output"] > 0, name
        assert run["costs"]["models"] == {MODEL: "0"}, "the suites say that it is run for nothing"
        assert (place / run["cassette"] / "model.yaml").exists(), name


def test_the_replay_is_the_run_that_was_recorded(place: Path, recorded: Session) -> None:
    session = evals(place, *chosen(place))  # no address, no key, no network
    assert session.code == recorded.code, session.text
    assert session.results["mode"] == "replay"
    assert {n: comparable(run) for n, run in session.runs.items()} == {n: comparable(run) for n, run in recorded.runs.items()}
    assert session.statuses == recorded.statuses


def test_the_same_prompt_gives_the_same_answers_in_hybrid(place: Path, recorded: Session, server: dict[str, str]) -> None:
    session = evals(place, "--agent-mode=hybrid", chosen(place)[0], **server)
    assert session.results["mode"] == "hybrid"
    (name, run), *_ = session.runs.items()
    assert run["output"] == recorded.runs[name]["output"]
    assert run["recorded_model"] == MODEL
    assert {call["source"] for call in run["calls"]} == {"replay"}


def test_another_prompt_in_hybrid(place: Path, recorded: Session, server: dict[str, str]) -> None:
    suite = place / "cases" / "refunds" / "refunds.yaml"
    before, files = suite.read_text(), contents(place)
    suite.write_text(before.replace("You work at the refund desk of a shop.", "You are a clerk."))
    assert suite.read_text() != before
    try:
        node = next(node for node in chosen(place) if "refunds" in node)
        replay = evals(place, node)
        assert replay.code == 1
        assert "prompt CHANGED" in replay.text
        session = evals(place, "--agent-mode=hybrid", node, **server)
    finally:
        suite.write_text(before)
    ((_, run),) = session.runs.items()
    assert run["mode"] == "hybrid"
    assert run["outcome"] in ("completed", "unanswerable")
    assert {call["source"] for call in run["calls"]} <= {"replay", "none"}, "no tool ran for real"
    assert contents(place) == files, "nothing was written"


def test_the_tools_alone_live(place: Path, recorded: Session) -> None:
    session = evals(place, "--agent-mode=tools-live", *chosen(place))
    assert session.code == recorded.code, session.text
    assert session.results["mode"] == "tools-live"
    assert {n: comparable(run) for n, run in session.runs.items()} == {n: comparable(run) for n, run in recorded.runs.items()}
    assert {call["source"] for run in session.runs.values() for call in run["calls"]} == {"live"}


def contents(place: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted((place / "cassettes").rglob("*.yaml"))}
