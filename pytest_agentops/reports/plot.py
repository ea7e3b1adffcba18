"""The scorecard as a picture, SVG or PNG. The only module that imports matplotlib (the extra ``plot``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import AgentOpsError
from ..schema.disk import replacing
from .history import History
from .scorecard import Slos

SUFFIXES = (".svg", ".png")
_PANELS = (
    ("success_rate", "task_success_rate", "success rate"),
    ("cost_per_success_usd", "cost_per_success_usd", "cost per success, $"),
    ("intervention_rate", "intervention_rate", "intervention rate"),
    ("policy_blocks", "policy_blocks", "policy blocks"),
)


class NoPlot(AgentOpsError):
    """The picture cannot be made; the text says what to do."""


def plot(history: History, slos: Slos, path: Path, *, last: int) -> None:
    """A panel a number, a line a suite, its target dashed in the same colour; what is unknown is a gap."""
    if path.suffix.lower() not in SUFFIXES:
        raise NoPlot(f"--plot {path}: expected a file that ends in {' or '.join(SUFFIXES)}")
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        raise NoPlot("--plot needs matplotlib: pip install matplotlib") from None
    with matplotlib.rc_context({"svg.hashsalt": "pytest-agentops"}):  # equal numbers give an equal file
        figure = Figure(figsize=(11, 7), layout="constrained")
        axes = figure.subplots(2, 2)
        for panel, (key, name, title) in zip(axes.flat, _PANELS, strict=True):
            _panel(panel, history, slos, key, name, last)
            panel.set_title(title)
            panel.tick_params(axis="x", rotation=30)
        axes.flat[0].legend(fontsize="small")
        kind = path.suffix.lower().removeprefix(".")
        try:
            with replacing(path) as temp:
                figure.savefig(temp, format=kind, metadata={"Date": None} if kind == "svg" else None)
        except OSError as error:
            raise NoPlot(f"--plot {path}: it cannot be written: {error.strerror or error}") from None


def _panel(panel: Any, history: History, slos: Slos, key: str, name: str, last: int) -> None:
    for number, (suite, sessions) in enumerate(history.items()):
        shown = sessions[-last:]
        values = [float("nan") if one.metrics.get(name) is None else float(one.metrics[name]) for one in shown]
        panel.plot([one.at for one in shown], values, marker="o", color=f"C{number % 10}", label=suite)
        target = slos.get(suite, {}).get(key)
        if target is not None:
            panel.axhline(float(target), color=f"C{number % 10}", linestyle="--", linewidth=1)
    panel.set_ylim(bottom=0)
