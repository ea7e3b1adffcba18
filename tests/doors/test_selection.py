"""Which cases run: paths, node ids, -k, -m, --lf, -x, xdist; the same on one process and on several."""

from __future__ import annotations

import pytest

from .conftest import HEAD, Project, without_times

TWO = """
- {id: one, task: hello, tags: [critical]}
- {id: two, task: hello}
"""
VARIANTS = """
- {id: one, task: hello}
- id: many
  task: hello
  matrix: {model: [small, large]}
"""
XDIST = ("-p", "xdist.plugin", "-n", "2")


@pytest.fixture
def two(project: Project) -> Project:
    project.suite(TWO)
    project.record().assert_outcomes(passed=2)
    return project


def test_without_the_flag_no_case_is_collected(two: Project) -> None:
    two.write("test_plain.py", "def test_plain(): pass")
    two.run("--collect-only", "-q").stdout.no_fnmatch_line("*demo.yaml*")
    two.run().assert_outcomes(passed=1)


def test_a_yaml_path_without_the_flag_says_so(two: Project) -> None:
    result = two.run("cases/demo/demo.yaml")
    assert result.ret != 0
    result.stdout.fnmatch_lines(["cases/demo/demo.yaml: case files are collected with --agent-evals only"])


@pytest.mark.parametrize("testpaths", [True, False], ids=["testpaths", "no testpaths"])
@pytest.mark.parametrize("workers", [True, False], ids=["xdist", "one process"])
def test_with_the_flag_and_no_path_the_case_folders_are_run(two: Project, testpaths: bool, workers: bool) -> None:
    two.write("tests/test_plain.py", "def test_plain(): pass")
    if testpaths:
        two.write("pytest.ini", "[pytest]\ntestpaths = tests\n")
    result = two.apart("--agent-evals", *XDIST) if workers else two.evals()
    result.assert_outcomes(passed=2)
    assert two.statuses == {"one": "passed", "two": "passed"}
    assert two.results["selection"] == "all"


@pytest.mark.parametrize("workers", [True, False], ids=["xdist", "one process"])
def test_with_a_path_what_was_asked_is_run(two: Project, workers: bool) -> None:
    two.write("tests/test_plain.py", "def test_plain(): pass")
    two.suite("- {id: other, task: hello}", name="second")
    two.record().assert_outcomes(passed=3)
    args = ("tests", "cases/demo", "-k", "plain or one")
    result = two.apart("--agent-evals", *XDIST, *args) if workers else two.evals(*args)
    result.assert_outcomes(passed=2, deselected=0 if workers else 1)
    assert list(two.statuses) == ["one"]
    assert two.results["selection"] == "partial"


def test_a_python_path_alone_is_no_case(two: Project) -> None:
    two.write("tests/test_plain.py", "def test_plain(): pass")
    result = two.evals("tests")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stdout.fnmatch_lines(
        [
            "ERROR: --agent-evals collected no cases: nothing was tested (exit code 4)",
            "tests: outside of the case folders (cases); name its files one by one, or set ini agentops_cases",
        ]
    )
    inside = two.write("cases/nothing/readme.txt", "none").parent
    two.evals(str(inside)).stdout.no_fnmatch_line("*outside of the case folders*")


def test_case_folders_of_an_ini(project: Project) -> None:
    project.write("pytest.ini", "[pytest]\nagentops_cases = evals more\nagentops_evals = true\n")
    project.write("evals/demo.yaml", "version: 1\nagent: demo_agent\ncases:\n- {id: one, task: hello}\n")
    project.write("conftest.py", "import pytest\n@pytest.fixture\ndef demo_agent():\n    return lambda task, tools: task.text\n")
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*there is no case folder (more) under *"])
    project.write("more/readme.txt", "nothing yet")
    project.run("--agent-record=once").assert_outcomes(passed=1)
    project.run().assert_outcomes(passed=1)


def test_no_case_folder_is_a_usage_error(project: Project) -> None:
    result = project.evals()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--agent-evals: there is no case folder (cases) under *name a path*"])


@pytest.mark.parametrize("workers", [True, False], ids=["xdist", "one process"])
def test_zero_cases_are_never_green(project: Project, workers: bool) -> None:
    project.write("cases/demo.txt", "nothing")
    result = project.apart("--agent-evals", *XDIST) if workers else project.evals()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stdout.fnmatch_lines(["ERROR: --agent-evals collected no cases*"])


@pytest.mark.parametrize("workers", [True, False], ids=["xdist", "one process"])
def test_all_deselected_is_pytests_own_exit(two: Project, workers: bool) -> None:
    result = two.apart("--agent-evals", *XDIST, "-k", "nothing") if workers else two.evals("-k", "nothing")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    result.stdout.no_fnmatch_line("*nothing was tested*")


def test_node_ids(project: Project) -> None:
    project.suite(VARIANTS)
    project.record().assert_outcomes(passed=3)
    for name in ("one", "many~large"):
        project.evals(f"cases/demo/demo.yaml::{name}").assert_outcomes(passed=1)
        assert list(project.statuses) == [name]
        assert project.results["selection"] == "partial"
    assert project.evals("cases/demo/demo.yaml::three").ret == pytest.ExitCode.USAGE_ERROR


def test_variants_are_items_of_their_own(project: Project) -> None:
    project.suite(VARIANTS)
    project.record()
    result = project.evals("-v")
    result.stdout.fnmatch_lines(["*demo.yaml::one PASSED*", "*demo.yaml::many~small PASSED*", "*demo.yaml::many~large PASSED*"])
    assert [(c["id"], c["variant"]) for c in project.results["cases"]] == [
        ("demo/many", "large"),
        ("demo/many", "small"),
        ("demo/one", None),
    ]
    assert (project.path / "cassettes/demo/many~small/tools.yaml").is_file()
    project.evals("-k", "large").assert_outcomes(passed=1, deselected=2)


def test_tags_are_marks_also_when_marks_are_strict(two: Project) -> None:
    two.evals("-m", "critical", "--strict-markers").assert_outcomes(passed=1, deselected=1)
    two.evals("-m", "not critical", "--strict-markers").assert_outcomes(passed=1, deselected=1)
    two.evals("--markers").stdout.fnmatch_lines(["@pytest.mark.agent_eval(*"])


def test_last_failed_and_exit_first(project: Project) -> None:
    project.suite("""
        - {id: a_good, task: hello}
        - {id: b_bad, task: hello, expect: {output: {contains: goodbye}}}
        - {id: c_good, task: hello}
    """)
    project.record("-p", "no:cacheprovider").assert_outcomes(passed=2, failed=1)
    project.evals("-x").assert_outcomes(passed=1, failed=1)
    assert project.results["selection"] == "partial"
    result = project.evals("--lf")
    result.assert_outcomes(failed=1)
    assert project.statuses == {"b_bad": "failed"}
    assert project.results["selection"] == "partial"


def test_collect_only_runs_and_writes_nothing(two: Project) -> None:
    (two.path / ".agentops/results.json").unlink()
    result = two.evals("--collect-only")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*<CaseFile demo.yaml>", "*<CaseItem one>", "*<CaseItem two>"])
    assert not (two.path / ".agentops/results.json").exists()


def test_a_file_outside_is_read_only_if_it_is_named(two: Project) -> None:
    text = HEAD.replace("./agent.py", "../cases/demo/agent.py")
    two.write("other/outside.yaml", f"{text}suite: outside\ncases:\n- {{id: three, task: hello}}\n")
    two.write("other/docker-compose.yml", "services: {}\n")
    assert two.evals("other").ret == pytest.ExitCode.USAGE_ERROR
    two.record("other/outside.yaml").assert_outcomes(passed=1)
    assert two.results["selection"] == "partial"


def test_other_yaml_in_a_case_folder_is_an_error_unless_it_is_ignored(two: Project) -> None:
    two.write("cases/compose.yaml", "services: {}\n")
    result = two.evals()
    result.assert_outcomes(passed=2, errors=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*cases/compose.yaml:1:1: neither a suite*"])
    for glob in ("compose.yaml", "cases/*.yaml", "**/comp*.yaml", "cases/**/compose.yaml"):
        two.write("pytest.ini", f"[pytest]\nagentops_ignore = {glob}\n")
        two.evals().assert_outcomes(passed=2)


HIDDEN = HEAD.replace("./agent.py", "../demo/agent.py") + "cases:\n- {id: three, task: hello}\n"


@pytest.mark.parametrize("workers", [True, False], ids=["xdist", "one process"])
@pytest.mark.parametrize("folder", ["build", ".drafts", "venv", "a/dist/deep"])
def test_case_files_that_pytest_does_not_look_at_fail_the_build(two: Project, folder: str, workers: bool) -> None:
    two.write(f"cases/{folder}/hidden.yaml", HIDDEN)
    two.write(f"cases/{folder}/values.yaml", "no: suite\n")
    result = two.apart("--agent-evals", *XDIST) if workers else two.evals()
    result.assert_outcomes(passed=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert two.results["verdict"] == "fail"
    assert two.results["selection"] == "partial"
    said = [line for line in result.outlines if line.startswith("ERROR: ")]
    assert said == [
        f"ERROR: cases/{folder}/hidden.yaml is not collected: pytest looks into no folder of such a name (ini norecursedirs); "
        "rename the folder, set norecursedirs, or name the file in ini agentops_ignore"
    ]


def test_hidden_folders_without_case_files_are_no_matter(two: Project) -> None:
    two.write("cases/.cache/values.yaml", "steps: [cases]\n")
    two.write("build/hidden.yaml", HIDDEN)
    result = two.evals("cases", ".")
    assert result.ret == pytest.ExitCode.OK
    assert two.results["selection"] == "all"


@pytest.mark.parametrize("ini", ["norecursedirs = none", "agentops_ignore = cases/build/**"])
def test_the_cures_of_a_hidden_folder(two: Project, ini: str) -> None:
    two.write("cases/build/hidden.yaml", HIDDEN)
    two.write("pytest.ini", f"[pytest]\n{ini}\n")
    result = two.record()
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=3 if ini.startswith("norec") else 2)


def test_a_hidden_folder_that_is_named_is_collected(two: Project) -> None:
    two.write("cases/build/hidden.yaml", HIDDEN)
    for arg in ("cases/build", "cases/build/hidden.yaml"):
        result = two.record(arg)
        result.assert_outcomes(passed=1)
        assert result.ret == pytest.ExitCode.OK


def test_nothing_but_hidden_case_files_is_never_green(project: Project) -> None:
    project.write("cases/build/hidden.yaml", HIDDEN)
    result = project.evals()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stdout.fnmatch_lines(["ERROR: cases/build/hidden.yaml is not collected*"])


def test_from_a_folder_below_the_root(two: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(two.path / "cases")
    two.evals("demo/demo.yaml").assert_outcomes(passed=2)
    two.evals().assert_outcomes(passed=2)
    assert two.results["selection"] == "all"


def test_results_do_not_depend_on_how_the_cases_were_run(project: Project) -> None:
    project.suite("""
        - {id: one, task: hello, trials: 2}
        - {id: bad, task: hello, expect: {output: {contains: goodbye}}}
        - {id: known, task: hello, xfail: "not yet", expect: {output: {contains: goodbye}}}
        - {id: later, task: hello, skip: "not now"}
        - {id: sums, task: add, agent: ./agent.py:adder, tools: ./tools.py:add, expect: {output: {equals: 3}}}
    """)
    project.suite("- {id: one, task: hello}", name="second")
    project.write(
        "backwards.py",
        """
        import random

        def pytest_addoption(parser):
            parser.addoption("--seed", type=int)

        def pytest_collection_modifyitems(config, items):
            random.Random(config.getoption("seed")).shuffle(items)
    """,
    )
    project.pytester.syspathinsert()
    project.record().assert_outcomes(passed=3, failed=1, xfailed=1, skipped=1)
    project.evals()
    first = without_times(project.results)
    assert first["verdict"] == "fail"
    project.apart("--agent-evals", *XDIST).assert_outcomes(passed=3, failed=1, xfailed=1, skipped=1)
    assert without_times(project.results) == first
    for seed in ("1", "2"):
        result = project.evals("-p", "backwards", "-p", "no:cacheprovider", f"--seed={seed}")
        result.assert_outcomes(passed=3, failed=1, xfailed=1, skipped=1)
        assert without_times(project.results) == first
