"""One trial from the case to the run: set up the session, run the agent, settle what is left, keep the recording."""

from __future__ import annotations

import functools
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from decimal import Decimal

from ..errors import AgentOpsError, BudgetExceeded, CassetteError
from ..redact.membrane import Membrane
from ..redact.secrets import from_environment
from ..schema import money
from ..schema.run import UNPAID, BudgetUse, Problem, Run, Usage, used_by
from ..tools.direct import watch_strays, watching
from .conversation import converse, turns_of
from .forks import end_child, fork_notes
from .inside import carried
from .invoke import wait_for_threads
from .modes import Plan, has_recording, plan
from .network import network_guard
from .prepare import ends_the_session, set_up
from .session import Session
from .setting import Setting, Trial
from .settle import ended, settle
from .surroundings import around, online
from .trace import trace_of

__all__ = ["Trial", "run_trial"]


def run_trial(trial: Trial) -> Run:
    """Run the agent once; never raises for what the agent, the tools or the recording did wrong: the run says so."""
    recorded = trial.record in ("none", "stale") or has_recording(trial.folder)  # asked only where it matters
    chosen = plan(trial.mode, trial.record, recorded=recorded)
    run = _run(trial, chosen)
    if trial.record != "stale" or not run.stale:
        return run
    again = _run(trial, plan(trial.mode, "all", recorded=True))
    if chosen.live:  # what it took to see that it is stale was paid, too
        again.cost_usd = money.total([run.cost_usd, again.cost_usd])
        again.usage = None if run.usage is None or again.usage is None else run.usage + again.usage
    return again


def _run(trial: Trial, chosen: Plan) -> Run:
    started = time.perf_counter()
    case = trial.case
    folder = trial.folder
    task = case.fields.task or turns_of(case.fields.turns or ("",))[0]
    membrane = _membrane()
    run = Run(trial=trial.number, mode=chosen.mode, task=str(membrane.hide(task)), membrane=membrane)
    run.cassette = f"{trial.cassettes.name}/{folder.parent.name}/{folder.name}"
    try:
        with around(trial, chosen):
            setting = set_up(trial, chosen, membrane)
            setting.session.may_spend()
            _may_begin(trial, chosen)
            _perform(setting, run)
            _watch(setting.session, trial)
    except BudgetExceeded as over:  # the session's money is gone: the trial is not even started
        run.outcome, run.stop, run.budget = "budget_exceeded", str(over), BudgetUse(exceeded=over.what)
        run.cost_usd, run.usage, run.labels = Decimal(0), Usage(input=0, output=0), [UNPAID]
    except (AgentOpsError, OSError) as error:
        _not_started(run, error)
    run.duration_s = time.perf_counter() - started
    _used(trial, chosen, run)
    return run


def _may_begin(trial: Trial, chosen: Plan) -> None:
    """Raise where the runs of the suite have used up what it may use beside money, which is seen at every call."""
    over = trial.ledger.used_up(trial.case.suite, trial.case.suite_budget) if trial.ledger and chosen.live else None
    if over is not None:
        raise over


def _used(trial: Trial, chosen: Plan, run: Run) -> None:
    """Tell the other workers what the run used, where the suite limits it."""
    limits = trial.case.suite_budget
    if trial.ledger is not None and chosen.live and limits.keys() - {"usd"}:
        used = used_by(run.as_json())
        trial.ledger.use(trial.case.suite, {name: amount for name, amount in used.items() if name in limits})


def _membrane() -> Membrane:
    """With the environment's secrets, which are looked for again only when it was changed."""
    return Membrane(os.environ, known=_secrets(network_guard().environment))


@functools.lru_cache(maxsize=1)
def _secrets(change: int) -> Mapping[str, str]:
    return from_environment(os.environ)


def _watch(session: Session, trial: Trial) -> None:
    """Hear of what comes when the run is over: from threads, and from forked children."""
    session.on_late = trial.on_late
    if session.has_forked and trial.on_late is not None:
        fork_notes().watch(session.number, trial.on_late)


def _not_started(run: Run, error: Exception) -> None:
    network_guard().drain()  # if it was a connect, the text says so
    run.outcome = "error"
    text = str(Membrane(os.environ).hide(str(error)))
    run.stop = text
    run.problems.append(Problem(kind="cassette" if isinstance(error, CassetteError) else "setup", text=text))


@contextmanager
def _tapped(setting: Setting) -> Iterator[None]:
    """With the agent's HTTP clients under our eyes, where the trial has a model layer."""
    if setting.model is None:
        yield
        return
    from ..tape.model.tap import tapped

    _prove()
    with tapped(setting.model):
        yield


@functools.cache
def _prove() -> None:
    """Once a process: each HTTP library that is loaded shows that its requests are seen; raises if one slips through."""
    from ..tape.model.selftest import self_test

    with online():  # what slips through is told as such, not as a blocked connect
        self_test()


def _perform(setting: Setting, run: Run) -> None:
    with carried() if setting.plan.tools.live else nullcontext(), _tapped(setting):
        setting.meter.start()  # not before: what the tap imports is no time of the agent's
        failure = _converse(setting, run)
    setting.tool_loop.close()
    ended(setting, run, failure)
    settle(setting, run)


def _converse(setting: Setting, run: Run) -> BaseException | None:
    """The agent's whole part, to the end of what it left behind; what it failed with comes back."""
    session, trial = setting.session, setting.trial
    threads = set(threading.enumerate())
    failure: BaseException | None = None

    # live, threads that were there before are none of the agent's: a server of a fixture, say; in replay nobody calls a tool
    with watching(session.beside, older=threads if setting.plan.tools.live else ()):
        try:
            run.output = converse(setting)
        except BaseException as error:  # TrialTimeout, sys.exit() and pytest.skip() in an agent are its failures, too
            if session.is_copy:
                end_child(error)
            if ends_the_session(error):
                session.close()
                raise
            failure = error
            run.error = trace_of(error)
        if session.is_copy:
            end_child(None)
        setting.agent_loop.close()
        left = wait_for_threads(threads, besides=setting.tool_loop.thread)
    if left:
        watch_strays(session.beside, left)
        if not setting.plan.live:
            network_guard().stray(left, trial.on_late)
    session.close()
    return failure
