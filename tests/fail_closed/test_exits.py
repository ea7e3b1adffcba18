"""An agent that ends the process, or the session, is no green run."""

from __future__ import annotations

import pytest

OTHER = "\n  - id: two\n    task: go\n"


@pytest.mark.parametrize(
    "body",
    [
        "import pytest\npytest.exit('enough', returncode=0)",
        "import pytest\npytest.exit('enough')",
        "import sys\nsys.exit(0)",
        "raise SystemExit",
    ],
)
def test_leaving_ends_the_trial_and_not_the_session(body, place) -> None:
    place.suite()
    path = place.case / "s.yaml"
    path.write_text(path.read_text().rstrip("\n") + OTHER)
    place.agent("return 'done'")
    place.record().assert_outcomes(passed=2)
    place.agent(body)
    result = place.run()
    result.assert_outcomes(failed=2)
    assert result.ret == 1
    assert place.trial["outcome"] == "error"


def test_a_process_that_is_ended_leaves_no_green_result_of_an_earlier_one(place) -> None:
    place.record().assert_outcomes(passed=1)
    place.run("--agent-report=json:out.json").assert_outcomes(passed=1)
    assert place.results["verdict"] == "pass"
    assert (place.pytester.path / "out.json").exists()
    place.agent("import os\nos._exit(0)")
    place.run("--collect-only")
    assert place.results["verdict"] == "pass"
    result = place.pytester.runpytest_subprocess("--agent-evals", "-p", "no:randomly", "--agent-report=json:out.json")
    assert result.ret == 0, "what the process says cannot be helped"
    assert not (place.pytester.path / ".agentops" / "results.json").exists()
    assert not (place.pytester.path / "out.json").exists()
