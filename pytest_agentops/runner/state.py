"""The state behind the tools: read from them where they are live, taken from the recording where that is sure to be the same."""

from __future__ import annotations

from ..errors import AgentOpsError
from ..schema.run import Problem, Run, State
from ..schema.values import Json
from .inside import inside_tool
from .setting import Setting, Written

BETWEEN = (
    "a recording keeps the state before and after the whole run, and this turn ended between its writes; "
    "check it in the last turn, or run with --agent-mode=live"
)


def after_turn(setting: Setting) -> None:
    """Note what is known of the state at the end of a turn."""
    player = setting.player
    if player is None:
        with inside_tool():  # between two turns: who reads it is no agent
            setting.turn_ends.append(setting.toolbox.snapshot())
    elif not any(player.writes(r) for r in player.unused()):
        setting.turn_ends.append(Written.ALL)
    else:
        played = any(player.writes(r) for r in player.played)
        setting.turn_ends.append(Written.SOME if played else Written.NONE)


def settle_state(setting: Setting, run: Run) -> None:
    """The run's state and its turns'."""
    try:
        run.state = _live(setting) if setting.player is None else _recorded(setting)
    except AgentOpsError as error:
        setting.session.latch(Problem(kind="setup", text=str(error)))
        run.state = State(why=str(error))
    _readers(setting, run)
    for turn, end in zip(run.turns, setting.turn_ends, strict=False):
        turn.state = _of_turn(setting, run.state, end)
    if run.turns:
        run.turns[-1].state = run.state


def _readers(setting: Setting, run: Run) -> None:
    """Tools of tier 0 only read: where no other was called and the state changed, one of them says so falsely."""
    contracts = setting.session.contracts
    called = sorted({call.tool for call in run.calls if call.reached})
    if not called or not run.state.known or run.state.before == run.state.after:
        return
    if all(name in contracts and contracts[name].tier == 0 for name in called):
        text = (
            f"only tools of tier 0 were called ({', '.join(called)}), and the state changed\n"
            "  cure: declare the one that writes: effect and tier in its contract"
        )
        setting.session.latch(Problem(kind="contract", text=text, data={"tools": called}))


def _of_turn(setting: Setting, whole: State, end: Json | Written) -> State:
    if not whole.known or end is Written.ALL:
        return whole
    if end is Written.SOME:
        return State(why=BETWEEN)
    after = whole.before if end is Written.NONE else setting.hidden(end)
    return State(before=whole.before, after=after, known=True, why="")


def _live(setting: Setting) -> State:
    if not setting.toolbox.has_state:
        return State()
    after = setting.hidden(setting.toolbox.snapshot())
    return State(before=setting.hidden(setting.before), after=after, known=True, why="")


def _recorded(setting: Setting) -> State:
    cassette = setting.cassette
    if cassette is None or not cassette.has_state:
        return State(why="the recording has none: the toolbox offered no state when it was made")
    why = _why_unknown(setting)
    return State(before=cassette.state_before, after=cassette.state_after, known=not why, why=why)


def _why_unknown(setting: Setting) -> str:
    """Why the recorded state is not this run's state; empty if it is."""
    player = setting.player
    if player is None:
        return "no recording"
    if "counterfactual" in setting.session.labels:
        return "the guard stopped a call that the recorded run had made"
    if setting.answers.live_writes:
        return "a write ran live beside the replayed calls"
    left = [r.tool for r in player.unused() if player.writes(r)]
    return f"recorded calls that change state were not made: {', '.join(left)}" if left else ""
