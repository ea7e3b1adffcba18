"""A clerk that does what its plan says, and tells what became of it. The controls are what is on trial here, not the clerk."""

from __future__ import annotations

from pytest_agentops import Task, Toolbox


def clerk(task: Task, tools: Toolbox) -> str:
    """Carries out `plan`, step by step; a step that is stopped is told, and the next one is tried."""
    keys: dict[str, str] = {}
    told = []
    for step in task.setup["plan"]:
        ((name, given),) = step.items()
        args = dict(given or {})
        if "key" in args:  # the plan writes `key: a`; the same letter is the same key
            args["key"] = keys.setdefault(args["key"], str(task.uuid4()))
        answer = tools.attempt(name, args)
        told.append(f"{name} done" if answer.error is None else f"{name} stopped: {answer.error['message']}")
    return "\n".join(told)


def careful_clerk(task: Task, tools: Toolbox) -> str:
    """The same, but a step that is stopped ends the work."""
    for step in task.setup["plan"]:
        ((name, args),) = step.items()
        tools.call(name, **args)
    return "all done"
