"""What is made once, or not at all, where many cases run; and that nobody can tell."""

from __future__ import annotations

import gc
import json

from .conftest import Project

CASES = """
- id: one
  task: hello
- id: two
  task: hello
"""

NOTE = """
def pytest_runtest_setup(item):
    with open("told.txt", "a") as file:
        file.write(f"FOLDER {item.nodeid}\\n")
"""


def test_hooks_of_a_folder_hear_of_its_own_cases_only(project: Project) -> None:
    for name in ("left", "right"):
        project.suite(CASES, name=name)
        project.write(f"cases/{name}/conftest.py", NOTE.replace("FOLDER", name))
    project.record()
    (project.path / "told.txt").unlink()
    project.evals().assert_outcomes(passed=4)
    told = (project.path / "told.txt").read_text().splitlines()
    assert sorted(told) == sorted(f"{n} cases/{n}/{n}.yaml::{case}" for n in ("left", "right") for case in ("one", "two"))


def test_marks_of_a_file_stay_with_its_cases(project: Project) -> None:
    """Alike cases of all files share a function, so what is not alike must not."""
    project.suite("- id: one\n  task: hello\n  tags: [slow]\n", name="left")
    project.suite("- id: one\n  task: hello\n", name="right")
    project.record()
    result = project.evals("-m", "slow")
    result.assert_outcomes(passed=1, deselected=1)


def test_a_file_of_a_case_is_named_from_the_rootdir(project: Project) -> None:
    project.suite("- id: one\n  task: hello\n")
    project.write(
        "conftest.py",
        """
        def pytest_collection_modifyitems(items):
            print("AT", [item.location for item in items])
        """,
    )
    project.record()
    result = project.evals("-s")
    result.stdout.fnmatch_lines(["*AT*'cases?demo?demo.yaml', 3, 'one'*"])


def test_the_collector_is_as_it_was_when_the_session_is_over(project: Project) -> None:
    project.suite("- id: one\n  task: hello\n")
    before = gc.get_threshold(), gc.get_freeze_count()
    project.record()
    assert (gc.get_threshold(), gc.get_freeze_count()) == before


def test_a_replay_of_plain_functions_loads_no_event_loop(project: Project) -> None:
    project.suite("- id: one\n  task: hello\n")
    project.record()
    project.write(
        "conftest.py",
        """
        import json, sys

        def pytest_unconfigure():
            open("modules.json", "w").write(json.dumps(sorted(sys.modules)))
        """,
    )
    project.apart("--agent-evals").assert_outcomes(passed=1)
    assert "asyncio" not in json.loads((project.path / "modules.json").read_text())
