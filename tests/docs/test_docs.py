"""Every block of the documentation is run: files are laid out, commands executed, outputs compared, fragments loaded.

A page is a script. Its blocks are taken in their order, in an empty folder:

- a block whose first line is a comment with a path (or with ``<!-- file: PATH -->`` above it) is written to that path;
  a ``diff`` block changes such a file; a path under ``cassettes/`` is compared with what was recorded there;
- the ``pytest`` and ``pytest-agentops`` lines of a ``sh`` block are executed and must succeed;
- other Python blocks are executed, other YAML blocks are whole suites and are loaded.

A comment above the fence says what is special: ``case`` (fields of a case) and ``suite`` (keys of a suite) are completed and
loaded, ``wrong`` must not load, ``mistakes`` is what the block before it gives, ``value`` is parsed as strict YAML only,
``output of: COMMAND`` stands in what the command prints, ``not run`` is for other people's machines.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, get_args

import pytest

from pytest_agentops.errors import CaseFileError
from pytest_agentops.loading.suite import load_suite
from pytest_agentops.loading.unsupported import UNSUPPORTED
from pytest_agentops.runner.modes import ADDED_TO, LIVE, MODES, RECORD_WORDS, RECORDED, REPLAYED, plan
from pytest_agentops.schema import case as case_types
from pytest_agentops.schema import gates as gate_types
from pytest_agentops.schema import governed
from pytest_agentops.schema.document import read
from pytest_agentops.schema.operators import OPERATORS

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
MARKERS = ("case", "suite", "wrong", "mistakes", "value", "not run")
LANGUAGES = ("yaml", "python", "json", "sh", "text", "diff", "ini", "toml")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MEASURED = ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")
"""What a page runs is not measured: it doubles the time, and what is covered is said by tests that look at it."""
NAME = re.compile(r"# ([\w./~-]+\.\w+)\n")


@dataclass(frozen=True)
class Block:
    place: str
    language: str
    marker: str
    name: str
    text: str


def blocks(page: Path) -> Iterator[Block]:
    source = page.read_text(encoding="utf-8")
    for found in FENCE.finditer(source):
        above = source[: found.start()].rstrip("\n").rpartition("\n")[2]
        marker = above.removeprefix("<!--").removesuffix("-->").strip() if above.startswith("<!--") else ""
        named = NAME.match(found[2])
        name = marker.removeprefix("file: ") if marker.startswith("file: ") else named[1] if named else ""
        text = found[2].partition("\n")[2] if found[1] == "diff" else found[2]
        yield Block(f"{page.name}:{source.count(chr(10), 0, found.start()) + 1}", found[1], marker, name, text)


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    words = shlex.split(command, comments=True)
    module = {"pytest": "pytest", "pytest-agentops": "pytest_agentops.cli"}[words[0]]
    extra = ["-p", "no:cacheprovider", "-p", "no:randomly"] if module == "pytest" else []
    env = {**os.environ, "COLUMNS": "200", "PYTHONDONTWRITEBYTECODE": "1", "CI": ""}  # a page speaks to a person at a terminal
    for name in MEASURED:
        env.pop(name, None)
    line = [sys.executable, "-m", module, *extra, *words[1:]]
    return subprocess.run(line, cwd=folder, env=env, capture_output=True, text=True, check=False)


class Walk:
    """One page, followed step by step in `folder`; the pages under docs/ go on with the suite of the README."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.suites: list[Path] = []
        self.modules: list[Path] = []
        self.mistakes = ""
        self.changed = False

    def step(self, block: Block) -> None:
        assert block.language in LANGUAGES, f"{block.place}: a block in {block.language or 'no language'}"
        if block.marker == "not run":
            return
        if block.marker.startswith("output of: "):
            self.output(block)
        elif block.marker == "mistakes":
            self.same_lines(block, self.mistakes)
        elif block.name:
            self.file(block)
        elif block.language == "sh":
            self.commands(block)
        elif block.language == "python":
            self.python(block)
        elif block.language == "yaml":
            self.yaml(block)
        elif block.language == "json":
            assert json.loads(block.text) is not None, block.place

    def file(self, block: Block) -> None:
        path = self.folder / block.name
        if block.language == "diff":
            old, new = (
                "".join(line[1:] for line in block.text.splitlines(keepends=True) if line[0] in (" ", sign)) for sign in "-+"
            )
            before = path.read_text(encoding="utf-8")
            assert before.count(old) == 1, f"{block.place}: the old lines are not in {block.name} once"
            path.write_text(before.replace(old, new), encoding="utf-8")
            self.changed = True
        elif block.name.startswith("cassettes/") and path.exists():
            shown = comparable(block.text, block.place)
            lines = block.text.rstrip().split("\n")
            assert (lines[1], lines[-1]) == ("---", "..."), f"{block.place}: written files have both"
            assert shown == comparable(path.read_text(encoding="utf-8"), block.name), f"{block.place} is not what was recorded"
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
            if block.name.startswith("cases/"):
                {".yaml": self.suites, ".py": self.modules}.get(path.suffix, []).append(path)

    def commands(self, block: Block) -> None:
        for line in block.text.splitlines():
            if line.startswith("make "):
                assert f"\n{line.split()[1]}:" in (ROOT / "Makefile").read_text(), f"{block.place}: no such target: {line}"
            elif line.startswith("pytest"):
                done = run(line, self.folder)
                assert done.returncode == 0, f"{block.place}: {line}\n{done.stdout}{done.stderr}"

    def output(self, block: Block) -> None:
        done = run(block.marker.removeprefix("output of: "), self.folder)
        self.same_lines(block, done.stdout + done.stderr)

    def same_lines(self, block: Block, output: str) -> None:
        """The block's lines stand in the output in this order; ``...`` leaves some out."""
        rest = [tidy(line) for line in output.splitlines()]
        for line in filter(None, map(tidy, block.text.splitlines())):
            if line != "...":
                assert line in rest, f"{block.place}: {line!r} is not (or not here) in the output:\n{output}"
                rest = rest[rest.index(line) + 1 :]

    def python(self, block: Block) -> None:
        self.execute(block.text, block.place)

    def execute(self, code: str, place: str) -> None:
        line = [sys.executable, "-c", code]
        done = subprocess.run(line, cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{place}: {done.stderr}"

    def yaml(self, block: Block) -> None:
        if block.marker == "value":
            read(block.text, file=block.place)
            return
        folder = self.suites[0].parent if self.suites else self.folder / "cases"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "block.yaml"
        path.write_text(completed(block), encoding="utf-8")
        try:
            if block.marker == "wrong":
                with pytest.raises(CaseFileError) as caught:
                    load_suite(path, self.folder)
                self.mistakes = str(caught.value).replace("block.yaml", "refunds.yaml")
            else:
                assert all(variant.case() for variant in load_suite(path, self.folder).variants)
        except Exception as error:
            raise AssertionError(f"{block.place}: {error}") from error
        finally:
            path.unlink()

    def end(self) -> None:
        """Import the page's modules; record and replay its suites, where its own commands have not said otherwise."""
        names = [path.as_posix() for path in self.modules]
        self.execute(f"import runpy\nfor name in {names}: runpy.run_path(name)", "the page's modules")
        if self.suites and not self.changed:
            for words in ("--agent-record=once", "--agent-mode=replay"):
                done = run(f"pytest --agent-evals {words}", self.folder)
                assert done.returncode == 0, done.stdout + done.stderr


def completed(block: Block) -> str:
    """A fragment with what it needs around it."""
    if block.marker not in ("case", "suite"):
        return block.text
    keys: Any = read(block.text, file=block.place).value
    if block.marker == "suite":
        rest = {"version": "1", "agent": "./agent.py:agent", "cases": "[{id: block, task: x}]"}
        return block.text + "".join(f"{key}: {value}\n" for key, value in rest.items() if key not in keys)
    rest = {"id": "block"} | ({} if {"task", "turns"} & keys.keys() else {"task": "x"})
    text = block.text + "".join(f"{key}: {value}\n" for key, value in rest.items() if key not in keys)
    return f"version: 1\nagent: ./agent.py:agent\ncases:\n  -\n{textwrap.indent(text, '    ')}"


def comparable(text: str, place: str) -> Any:
    """A cassette without what differs from run to run, or from one library version to the next."""
    value: Any = read(text, file=place).value
    value["recorded"]["at"] = value["clock"] = ""
    value["pins"]["tools"] = sorted(value["pins"]["tools"])
    return value


def tidy(line: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"\b\d+\.\d+s\b", "", line)).strip()


@pytest.fixture(scope="module")
def readme_suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The suite of the README with its recordings."""
    folder = tmp_path_factory.mktemp("readme")
    walk = Walk(folder)
    for block in blocks(ROOT / "README.md"):
        if block.name.startswith("cases/") and block.language != "diff":
            walk.step(block)
    done = run("pytest --agent-evals --agent-record=once", folder)
    assert done.returncode == 0, done.stdout
    return folder


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_of_a_page_works(page: Path, tmp_path: Path, readme_suite: Path) -> None:
    walk = Walk(tmp_path)
    if page.parent.name == "docs":
        shutil.copytree(readme_suite, tmp_path, dirs_exist_ok=True)
        walk.suites = [tmp_path / "cases" / "refunds" / "refunds.yaml"]
    for block in blocks(page):
        walk.step(block)
    walk.end()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_markers_are_known(page: Path) -> None:
    for block in blocks(page):
        named = block.marker.startswith(("file: ", "output of: "))
        assert named or block.marker in ("", *MARKERS), f"{block.place}: {block.marker}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if not target.startswith("https://"):
            path, _, anchor = target.partition("#")
            linked = page.parent / path if path else page
            assert linked.exists(), f"{page.name}: {target}"
            heads = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), re.MULTILINE) if anchor else []
            slugs = [re.sub(r"[^a-z0-9 _-]", "", head.lower()).replace(" ", "-") for head in heads]
            assert not anchor or anchor in slugs, f"{page.name}: {target}"


def everything() -> str:
    return "\n".join(page.read_text(encoding="utf-8") for page in PAGES)


def test_options_and_settings_exist_and_are_all_told(tmp_path: Path) -> None:
    known = run("pytest --help", tmp_path).stdout
    text = everything()
    helps = {"": known}
    options = {o for o in re.findall(r"(?<![\w-])--[a-z][a-z-]+", known) if o.startswith("--agent")}
    for line in re.findall(r"(?:^|`)(pytest(?:-agentops \w+)? [^`\n]*)", text, re.MULTILINE):
        words = line.split()
        acts = " ".join(word for word in words[1:3] if re.fullmatch("[a-z]+", word))  # a command, or a command's own
        command = "" if words[0] == "pytest" else f"{words[0]} {acts}"
        if command not in helps:
            helps[command] = run(f"{command} --help", tmp_path).stdout
        help_text = helps[command]
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", line):
            assert re.search(rf"(?<![\w-]){option}(?![\w-])", help_text), f"{line}: there is no {option}"
    assert set(re.findall(r"--agent-[a-z-]+", text)) == options
    settings = set(re.findall(r"^  (agentops_\w+)", known, re.MULTILINE))
    assert set(re.findall(r"\bagentops_[a-z_]+\b", text)) == settings


def test_every_key_of_a_case_file_is_told() -> None:
    page = (ROOT / "docs" / "case-files.md").read_text(encoding="utf-8")
    later = {path.rpartition(".")[2] for path in UNSUPPORTED}
    kinds = ("SuiteFile", "CaseEntry", "Expect", "TurnExpect", "CallsExpect", "TextExpect", "CostExpect", "PassIf", "Budget")
    kinds += ("Replay", "Network", "Principal", "ContractSpec", "AnswerSpec", "ErrorSpec", "MatchRules")
    kinds += ("ScriptedApproval", "PolicyExpect", "BlockedCall", "BudgetExpect", "Degrade", "SuiteBudget")
    for kind in kinds:
        for field in fields(getattr(case_types, kind, None) or getattr(governed, kind)):
            assert field.name in later or re.search(rf"\b{field.name}\b", page), f"{kind}.{field.name} is not in case-files.md"
    words = {word for kind in (case_types.Order, case_types.Extra, case_types.Outcome) for word in get_args(kind)}
    for word in words.union(case_types.DETECTORS):
        assert f"`{word}`" in page, word


def test_every_gate_is_told() -> None:
    page = (ROOT / "docs" / "gates.md").read_text(encoding="utf-8")
    for kind in vars(gate_types).values():
        if isinstance(kind, type) and is_dataclass(kind):
            for field in fields(kind):
                assert re.search(rf"\b{field.name}\b", page), f"{kind.__name__}.{field.name} is not in gates.md"


def test_every_operator_is_told() -> None:
    page = (ROOT / "docs" / "case-files.md").read_text(encoding="utf-8")
    for name in OPERATORS:
        assert re.search(rf"`{re.escape(name)}(: true)?`", page), name


def test_the_table_of_modes_and_words_is_true() -> None:
    """docs/cassettes-and-modes.md has a row for each pair of mode, record word, and whether a recording exists."""
    page = (ROOT / "docs" / "cassettes-and-modes.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w-]+)` +\| `(\w+)` +\| (.+?) +\| (.+?) +\|$", page, re.MULTILINE)
    told = {(mode, word, recorded): says for mode, word, yes, no in rows for recorded, says in ((True, yes), (False, no))}
    assert set(told) == {(m, w, r) for m in MODES for w in RECORD_WORDS for r in (True, False)}
    for (mode, word, recorded), says in told.items():
        found = plan(mode, word, recorded=recorded)  # type: ignore[arg-type]
        words = {
            REPLAYED: "recording",
            ADDED_TO: "recording and what it lacks live",
            LIVE: "live",
            RECORDED: "live, written",
        }
        if found.replay and not recorded:
            wanted = "error: no recording"
        elif found.tools == found.model:
            wanted = words[found.tools]
        else:
            wanted = f"tools {words[found.tools]}; model {words[found.model]}"
        assert says == wanted, (mode, word, recorded)
