"""What a person reads when a case failed: what failed, each check with what was wanted and measured, the problems, the command.

The first line says it all; below it stands what one needs in order to act, with the line of the YAML at hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from ..schema import money
from ..schema.case import Case
from ..schema.run import Problem, Run
from ..schema.sentences import count
from ..schema.values import Json, dumps
from ..schema.verdict import CheckResult, Verdict

VALUE_CHARS = 300
TRACE_LINES = 30
INDENT = "  "
_FILE_ERRORS = ("pytest_agentops.errors.MissingCassette:", "pytest_agentops.errors.CassetteError:")


def explain(case: Case, runs: Sequence[Run], verdict: Verdict, *, rerun: str) -> str:
    """The text for a case that failed; `rerun` is the command that runs it again."""
    lines = [_headline(runs, verdict), f"{case.suite}/{case.name}   {case.file}:{case.line}"]
    groups = _groups([run for run in runs if not run.success])
    for trials, run in groups:
        lines += ["", *_trial(trials, run, len(runs)), *_detected(run, case.runbooks)]
    if not groups and verdict.why:
        lines += ["", *_indented(verdict.why)]
    lines += ["", f"run it again: {rerun}"]
    return "\n".join(lines)


def _headline(runs: Sequence[Run], verdict: Verdict) -> str:
    """What failed, in one line: pytest's short summary shows nothing else."""
    what = _what_failed([run for run in runs if not run.success])
    if verdict.trials <= 1:
        return what or verdict.why or "no trial passed"
    idle = verdict.trials - len(runs)  # stopped, or curtailed
    ran = f"{len(runs)} trials passed ({idle} did not run)" if idle else f"{verdict.trials} trials passed"
    rate = f"{verdict.successes} of {ran}, wanted {verdict.wanted}"
    return f"{rate}: {what}" if what else rate


def _what_failed(failed: Sequence[Run]) -> str:
    """``check calls, outcome error``: over all failed trials, each once; its cause first, since the rest follows from it."""
    first = (next(iter(_causes(run)), None) for run in failed)
    parts: dict[str, None] = {_in_words(problem): None for problem in first if problem is not None}
    for run in failed:
        for check in run.checks:
            if not check.passed:
                parts.setdefault(_short(check))
        for problem in run.problems:
            if problem.fatal and problem.kind != "miss":  # of several misses, the first is named
                parts.setdefault(_in_words(problem))
    return ", ".join(parts)


def _causes(run: Run) -> list[Problem]:
    """What explains all the rest: a miss, else what is wrong with the recording."""
    misses = [problem for problem in run.problems if problem.kind == "miss"]
    return misses or [problem for problem in run.problems if problem.kind == "cassette"]


def _in_words(problem: Problem) -> str:
    """A miss gives its reason, a recording what is wrong with it: the cures differ."""
    if problem.kind == "miss" and "reason" in problem.data:
        tool = problem.data.get("tool")
        return f"miss [{problem.data['reason']}]" + (f" {tool}" if tool else "")
    if problem.kind == "cassette":
        return next((words for sign, words in _RECORDINGS.items() if sign in problem.text), "a recording that cannot be used")
    return _PROBLEMS.get(problem.kind, problem.kind)


_RECORDINGS = {
    ": there is no ": "no recording",
    " contract changed since ": "contract changed",
    ": not written: ": "nothing recorded",
    ": cannot be written: ": "nothing recorded",
}
"""What the text of a problem with a recording says -> what the headline does."""
_PROBLEMS = {
    "miss": "a call that the recording cannot answer",
    "unused": "recorded calls that were not made",
    "closed": "a call after the end",
    "contract": "a read that wrote",
    "bypass": "a tool called beside the guard",
    "forked": "a call in a forked child",
    "budget": "the budget",
    "timeout": "out of time",
    "agent": "the agent",
    "serialise": "a result that is no JSON",
    "secret": "a secret in what was to be kept",
    "network": "a connect in replay",
    "setup": "the set-up",
}


_WARNINGS = {"approval_unused": "answers of humans that nobody asked for"}


def _short(check: CheckResult) -> str:
    if check.name == "outcome" and check.measured is not None:
        return f"outcome {_value(check.measured)}"
    return f"check {check.name} failed"


def _groups(failed: Sequence[Run]) -> list[tuple[list[int], Run]]:
    """Trials that failed in the same way are shown once."""
    found: dict[str, tuple[list[int], Run]] = {}
    for run in failed:
        found.setdefault(_alike("\n".join(_body(run)), run), ([], run))[0].append(run.trial)
    return list(found.values())


def _alike(text: str, run: Run) -> str:
    """The text without the trial's own number and folder: what is left tells whether two trials failed alike."""
    text = re.sub(rf"\btrial {run.trial}\b", "trial", text)
    return re.sub(rf"\.t{run.trial}/", "/", text)


def _trial(trials: Sequence[int], run: Run, of: int) -> Iterator[str]:
    if of > 1:
        word = "trial" if len(trials) == 1 else "trials"
        yield f"{word} {', '.join(map(str, trials))} of {of}: {_facts(run)}"
    else:
        yield _facts(run)
    yield from _body(run)
    files = [(label, value) for label, value in (("recording:", run.cassette), ("events:", run.events)) if value]
    if files and len(trials) == 1:
        yield ""
        yield from (f"{INDENT}{label:<10} {value}" for label, value in files)


def _facts(run: Run) -> str:
    """How the run went, in one line."""
    usage = f"{run.usage.input}+{run.usage.output} tokens" if run.usage else "tokens unknown"
    cost = f"${money.text(run.cost_usd)}" if run.cost_usd is not None else "cost unknown"
    steps, calls = count(run.steps, "step"), count(len(run.calls), "tool call")
    labels = f", {', '.join(run.labels)}" if run.labels else ""
    return f"{run.mode}: {run.outcome} after {steps} and {calls}, {cost}, {usage}{labels}"


def _body(run: Run) -> list[str]:
    lines: list[str] = []
    if run.stop and all(run.stop != problem.text for problem in run.problems):
        lines += _labelled("stopped:", run.stop)
    failed = [check for check in run.checks if not check.passed]
    checks = _after_a_miss(failed) if _stopped_by_a_miss(run) else [line for check in failed for line in ("", *_check(check))]
    problems = [line for problem in run.problems for line in ("", *_problem(problem))]
    # what the checks miss is the consequence of a cause, where there is one
    lines += problems + checks if _causes(run) else checks + problems
    if run.error and not _ours(run.error):
        lines += ["", f"{INDENT}the agent's traceback:", *_indented(_cut_lines(run.error), 2)]
    stale = [sentence for sentence in run.stale if all(sentence != problem.text for problem in run.problems)]
    if stale:
        lines += ["", f"{INDENT}changed since the recording:", *(line for text in stale for line in _indented(text, 2))]
    findings = [f"{call.tool}: {finding}" for call in run.calls for finding in call.findings]
    if findings:
        lines += ["", f"{INDENT}did not fit, but was let through:", *(f"{INDENT * 2}{finding}" for finding in findings)]
    return lines


def _detected(run: Run, runbooks: Mapping[str, str]) -> Iterator[str]:
    """What an operator knows by name, with the page that says what to do."""
    if run.detected:
        yield ""
    for name, text in run.detected.items():
        yield from _labelled("detected:", f"{name}: {text}")
        if name in runbooks:
            yield from _labelled("runbook:", runbooks[name])


def _stopped_by_a_miss(run: Run) -> bool:
    """Whether the run did not go on where the recording had no answer: what it would have done then is not known."""
    return run.outcome in ("error", "unanswerable") and any(problem.kind == "miss" for problem in run.problems)


def _after_a_miss(failed: Sequence[CheckResult]) -> list[str]:
    """The checks by name alone: in full they would only say over and over that the run broke off."""
    if not failed:
        return []
    names = ", ".join(f"{check.name} ({check.where})" if check.where else check.name for check in failed)
    return ["", *_labelled("not met either, since the run broke off there:", names)]


def _ours(trace: str) -> bool:
    """Whether a damaged or missing file of ours ended the run: `stopped` has named it, our own frames say nothing more."""
    return any(line.startswith(_FILE_ERRORS) for line in trace.split("\n"))


def _check(check: CheckResult) -> Iterator[str]:
    where = f"   {check.where}" if check.where else ""
    yield f"{INDENT}check {check.name} failed{where}"
    if check.wanted is not None:
        yield from _labelled("wanted", _value(check.wanted), 2)
    if check.wanted is not None or check.measured is not None:
        yield from _labelled("measured", _value(check.measured), 2)
    if check.why:
        yield from _labelled("why", check.why, 2)


def _problem(problem: Problem) -> Iterator[str]:
    """Whole: a miss report is made to be read as it stands."""
    if not problem.fatal:
        yield f"{INDENT}{_WARNINGS.get(problem.kind, 'warning')}:"
        yield from _indented(problem.text, 2)
    else:
        yield from _indented(problem.text)


def _labelled(label: str, text: str, depth: int = 1) -> Iterator[str]:
    """The label once, further lines below the first."""
    head = f"{INDENT * depth}{label:<9} "
    for number, line in enumerate(text.rstrip("\n").split("\n")):
        yield (head if number == 0 else " " * len(head)) + line


def _indented(text: str, depth: int = 1) -> Iterator[str]:
    for line in text.rstrip("\n").split("\n"):
        yield f"{INDENT * depth}{line}" if line else ""


def _value(value: Json) -> str:
    """Text as it is where it fits a line, else as JSON; long values are cut, the events file has them whole."""
    text = value if isinstance(value, str) and value and "\n" not in value else _json(value)
    if len(text) <= VALUE_CHARS:
        return text
    return f"{text[:VALUE_CHARS]}… ({len(text)} characters)"


def _json(value: Json) -> str:
    """JSON with a blank after commas and colons, to be read."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{dumps(k)}: {_json(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_json, value)) + "]"
    return dumps(value)


def _cut_lines(text: str) -> str:
    """The end of a long traceback is where the reason is."""
    lines = text.rstrip("\n").split("\n")
    if len(lines) <= TRACE_LINES:
        return "\n".join(lines)
    return "\n".join([lines[0], f"... {len(lines) - TRACE_LINES} lines", *lines[-TRACE_LINES + 1 :]])
