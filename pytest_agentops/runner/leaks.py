"""The last look at what a run leaves in files: a secret that got so far is replaced, or the run's values are withheld."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ..schema.call import Call
from ..schema.run import Problem, Run, State
from ..schema.values import Json
from ..schema.verdict import CheckResult

Text = Callable[[Run], bytes]
"""Everything of a run that is kept, as it will be written."""


def without_secrets(run: Run, text: Text) -> bytes | None:
    """The bytes to keep; None where even what is left of the run holds a secret.

    A value may have turned out to be a secret when it stood in the log already: then it is replaced like any other. What the
    membrane does not know how to replace fails the run, and takes its values along.
    """
    membrane = run.membrane
    if membrane is None:
        return text(run)
    texts: list[str] = []
    for check in run.checks:
        texts.append(check.why)
        _collect(check.wanted, texts)
        _collect(check.measured, texts)
    said = "\n".join(texts)
    if membrane.hide(said) != said:  # all at once, since there hardly ever is one
        run.checks = [_hidden_check(check, membrane.hide) for check in run.checks]
    data = text(run)
    if not membrane.scan(data):
        return data
    _hide_again(run, membrane.hide)
    data = text(run)
    kinds = membrane.scan(data)
    if not kinds:
        return data
    _withhold(run, kinds, membrane.scan)
    data = text(run)
    return None if membrane.scan(data) else data


def _collect(value: Json, texts: list[str]) -> None:
    """Every text in a value."""
    if isinstance(value, str):
        texts.append(value)
    elif isinstance(value, dict):
        texts.extend(value)
        for inner in value.values():
            _collect(inner, texts)
    elif isinstance(value, list):
        for inner in value:
            _collect(inner, texts)


def _hidden_check(check: CheckResult, hide: Callable[[Json], Json]) -> CheckResult:
    wanted, measured, why = hide(check.wanted), hide(check.measured), hide(check.why)
    if wanted == check.wanted and measured == check.measured and why == check.why:
        return check
    return replace(check, wanted=wanted, measured=measured, why=str(why))


def _hide_again(run: Run, hide: Callable[[Json], Json]) -> None:
    run.task, run.output = str(hide(run.task)), hide(run.output)
    run.stop, run.error = (None if text is None else str(hide(text)) for text in (run.stop, run.error))
    run.messages = [hide(message) for message in run.messages]
    run.said = [str(hide(text)) for text in run.said]
    for turn in run.turns:
        turn.user, turn.said = str(hide(turn.user)), [str(hide(text)) for text in turn.said]
    for call in run.calls:
        call.args, call.sent, call.result = hide(call.args), hide(call.sent), hide(call.result)
        call.findings = [str(hide(text)) for text in call.findings]
        if call.error is not None:
            call.error = replace(call.error, message=str(hide(call.error.message)))
    run.state = replace(run.state, before=hide(run.state.before), after=hide(run.state.after))
    run.problems[:] = [replace(p, text=str(hide(p.text)), data=hide(p.data)) for p in run.problems]


def _withhold(run: Run, kinds: Sequence[str], scan: Callable[[bytes], Sequence[str]]) -> None:
    run.success = False
    run.task, run.output, run.stop, run.error = "", None, None, None
    run.messages, run.said, run.turns = [], [], []
    run.calls = [Call(tool=call.tool, args={}, effect=call.effect, decision=call.decision) for call in run.calls]
    run.state = State(why="withheld: the run held a secret")
    run.checks = [replace(check, wanted=None, measured=None, why="") for check in run.checks]
    run.problems[:] = [p if not scan(p.text.encode()) else Problem(kind=p.kind, text="(withheld)") for p in run.problems]
    run.problems[:] = [replace(p, data={}) for p in run.problems]
    text = (
        f"the run was about to leave a secret in its files ({', '.join(kinds)}): what it said, got and measured is withheld\n"
        "  cure: name the field in the tool's `sensitive`, or keep the value out of the case"
    )
    run.problems.append(Problem(kind="secret", text=text, data={"kinds": list(kinds)}))
