"""One request to the model: a customer's message in, one tool call out. The built-in agent does the asking."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_agentops import Task
from pytest_agentops.agents.openai import Done, Step, openai

EXAMPLES = (
    ("Order P-12: the vase arrived with a crack.", "P-12", "vase", "damaged"),
    ("I got a red scarf instead of the gloves that I ordered, number W-340.", "W-340", "gloves", "wrong item"),
    ("The umbrella from order S-5 came two weeks after the trip.", "S-5", "umbrella", "late"),
    ("I bought the toaster in T-77 on a whim and do not want it now.", "T-77", "toaster", "changed mind"),
)
"""One for each reason."""


def step(task: Task, done: Sequence[Done]) -> Step | str:
    """One call, and then words that need no model."""
    if not done:
        return Step(tools=["returns.open"], reply=False)
    result = done[-1].result
    if not result.ok:
        return "I have passed your message on to a colleague."
    opened = result.value
    return f"Your return {opened['number']} is open: {opened['product']}, order {opened['order_id']} ({opened['reason']})."


def example(text: str, order_id: str, product: str, reason: str) -> list[dict[str, object]]:
    """A message, and the call that it should become."""
    arguments = {"order_id": order_id, "product": product, "reason": reason}
    return [
        {"role": "user", "content": text},
        {"role": "assistant", "content": {"tool": "returns.open", "arguments": arguments}},
    ]


intake_agent = openai(
    strategy="json_schema",
    temperature=0,
    seed=1,
    max_tokens=80,
    describe=False,
    examples=[message for each in EXAMPLES for message in example(*each)],
    step=step,
)
