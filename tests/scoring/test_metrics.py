from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agentops.schema.run import Run
from pytest_agentops.schema.verdict import Metrics
from pytest_agentops.scoring.metrics import Tally


def run(success=True, cost="0.1", tokens=(10, 5), calls=2, outcome="completed", labels=(), acts=(), blocks=0, unexpected=0):
    return {
        "success": success,
        "outcome": outcome,
        "cost_usd": cost,
        "tokens": None if tokens is None else {"input": tokens[0], "output": tokens[1]},
        "calls": [{}] * calls,
        "labels": list(labels),
        "interventions": [{"kind": kind} for kind in acts],
        "policy_blocks": blocks,
        "unexpected_policy_blocks": unexpected,
    }


def metrics(*cases):
    tally = Tally()
    for i, trials in enumerate(cases):
        tally.add(f"s/c{i}", None, trials)
    return tally.metrics()


NOBODY = {"interventions": 0, "interventions_by_kind": {}, "policy_blocks": 0, "unexpected_policy_blocks": 0}


def test_nothing_ran():
    assert metrics() == metrics([]) == Metrics(cost_usd="0", tokens={"input": 0, "output": 0}, **NOBODY)
    assert metrics().task_success_rate is None


def test_the_numbers():
    found = metrics([run(), run(success=False, cost="0.25", outcome="error")], [run(cost="0", calls=0, tokens=(0, 0))])
    assert found == Metrics(
        runs=3,
        successes=2,
        task_success_rate=0.666667,
        cost_usd="0.35",
        cost_per_success_usd="0.175",
        tool_calls=4,
        tokens={"input": 20, "output": 10},
        pass_hat_k={"1": 0.75},
        intervention_rate=0.0,
        confusion_cost_usd={"failed": "0.25", "retries": "0", "loops": "0"},
        **NOBODY,
    )


def test_humans_and_policies():
    found = metrics([run(acts=["approve", "edit"], blocks=2, unexpected=1), run()], [run(acts=["approve"])], [run(blocks=1)])
    assert (found.intervention_rate, found.interventions) == (0.5, 3)
    assert found.interventions_by_kind == {"approve": 2, "edit": 1}
    assert (found.policy_blocks, found.unexpected_policy_blocks) == (3, 1)


def test_what_an_older_file_does_not_tell_is_null():
    old = {
        key: value for key, value in run().items() if key not in ("interventions", "policy_blocks", "unexpected_policy_blocks")
    }
    found = metrics([run(acts=["edit"]), old]).as_json()
    assert [found[k] for k in ("intervention_rate", "interventions", "policy_blocks", "unexpected_policy_blocks")] == [None] * 4
    assert "unanswerable" not in found


def test_no_success_is_no_cost_per_success():
    assert metrics([run(success=False)]).cost_per_success_usd is None


def test_one_unknown_makes_the_sum_unknown():
    found = metrics([run(cost=None), run(tokens=None)])
    assert (found.cost_usd, found.cost_per_success_usd, found.tokens) == (None, None, None)
    assert (metrics([run(cost=None)]).tokens, metrics([run(tokens=None)]).cost_usd) == ({"input": 10, "output": 5}, "0.1")


def test_money_is_exact():
    assert metrics([run(cost="0.1")] * 3).cost_usd == "0.3"
    assert metrics([run(cost="0.1"), run(cost="0"), run(cost="0")]).cost_per_success_usd == "0.033333333333"


def test_counterfactual_runs_are_in_no_number():
    found = metrics([run(), run(success=False, cost="9", labels=["racy", "counterfactual"])])
    assert (found.runs, found.task_success_rate, found.cost_usd, found.pass_hat_k) == (1, 1.0, "0.1", {"1": 1.0})


def test_unanswerable_runs_are_apart():
    found = metrics([run(), run(success=False, outcome="unanswerable")], [run(success=False, outcome="unanswerable")])
    assert (found.runs, found.successes, found.unanswerable, found.task_success_rate) == (3, 1, 2, 1.0)
    assert found.pass_hat_k == {"1": 1.0}
    assert found.as_json()["unanswerable"] == 2


def test_pass_hat_k_up_to_the_smallest_number_of_trials():
    four = [run(), run(), run(), run(success=False)]
    two = [run(), run(success=False)]
    assert metrics(four).pass_hat_k == {"1": 0.75, "2": 0.5, "3": 0.25, "4": 0.0}
    assert metrics(four, two).pass_hat_k == {"1": 0.625, "2": 0.25}


@given(st.lists(st.lists(st.booleans(), min_size=1, max_size=5), min_size=1, max_size=4))
def test_pass_hat_k_is_the_share_of_all_choices(cases):
    found = metrics(*([run(success=s) for s in case] for case in cases)).pass_hat_k
    assert list(found) == [str(k) for k in range(1, min(map(len, cases)) + 1)]
    for k, value in found.items():
        shares = [[all(c) for c in combinations(case, int(k))] for case in cases]
        assert value == pytest.approx(sum(sum(s) / len(s) for s in shares) / len(cases), abs=1e-6)


@given(
    st.lists(st.lists(st.builds(run, st.booleans(), st.sampled_from(["0.1", "2", None])), max_size=3), max_size=5),
    st.integers(0, 5),
)
def test_a_merge_counts_like_one_session(cases, cut):
    first, second, whole = Tally(), Tally(), Tally()
    for i, trials in enumerate(cases):
        (first if i < cut else second).add(str(i), None, trials)
        whole.add(str(i), None, trials)
    assert first.merge([second]).metrics() == whole.metrics()


def test_it_takes_a_run_as_the_results_file_has_it():
    found = metrics([Run(success=True).as_json()])
    assert (found.runs, found.successes, found.cost_usd, found.tokens) == (1, 1, None, None)
