"""What a reader of the numbers must know, one line a kind, each naming the first few cases."""

from __future__ import annotations

from collections.abc import Mapping

from .schema.sentences import count, some
from .schema.values import JsonObject, dumps

SHOWN = 5


class Notes:
    """Collects what the runs say of themselves; its size grows with the cases that have something to say."""

    def __init__(self) -> None:
        self._names: dict[str, dict[str, None]] = {}
        self._uncounted: dict[str, dict[str, int]] = {}
        """Why runs are in no number -> case -> how many of its runs."""
        self._stale: dict[tuple[str, str], dict[str, None]] = {}
        """(suite, what changed) -> cases."""

        self._without_policy: dict[str, None] = {}
        self._overrides: list[str] = []

    def add(self, kind: str, name: str) -> None:
        self._names.setdefault(kind, {}).setdefault(name)

    def of_run(self, name: str, run: JsonObject, *, judged_elsewhere: bool = False) -> None:
        """Take up what the run says of itself; a test judges its runs by itself, too."""
        suite, _, case = name.partition("/")
        pins = run.get("pins")  # a run that was never set up has none, and tells nothing of its policies
        unpinned = pins is not None and pins.get("policy") is None
        calls = run.get("calls") or ()
        if unpinned or any(call.get("reason") == "no_policy" for call in calls):  # one in shadow mode enforces nothing
            self._without_policy.setdefault(suite)
        self._overrides += [
            f"{name}: {_act(act)}" for act in run.get("interventions") or () if act["kind"] != "approve" or "message" in act
        ]
        for sentence in run["stale"]:
            self._stale.setdefault((suite, _cause(sentence)), {}).setdefault(case)
        for label in run["labels"]:
            self.add(label, name)
        for reason in _UNCOUNTED:
            if reason in (run["outcome"], *run["labels"]):
                cases = self._uncounted.setdefault(reason, {})
                cases[name] = cases.get(name, 0) + 1
                break
        for problem in run["problems"]:
            if problem["kind"] in _WARNINGS:
                self.add(_WARNINGS[problem["kind"]], name)
        checks = run["checks"]
        if not judged_elsewhere and checks and checks[0]["name"] == "outcome" and checks[0]["passed"] and checks[0]["why"]:
            self.add("no expect", name)  # the one check that says something though it passed

    def lines(self) -> list[str]:
        """In the order of `_SENTENCES`, whatever order the cases ran in; first what the numbers leave out."""
        lines = [self._left_out(reason, why) for reason, why in _UNCOUNTED.items() if reason in self._uncounted]
        for kind, sentence in _SENTENCES.items():
            if kind in self._names:
                names = sorted(self._names[kind])
                lines.append(f"{kind}: {len(names)} case(s) {sentence}: {some(names, SHOWN)}")
        if self._without_policy:
            names = sorted(self._without_policy)
            lines.append(f"policy: none: {len(names)} suite(s) let every known tool through: {some(names, SHOWN)}")
        if self._overrides:
            lines.append("overrides by humans; these become your next cases:")
            lines += [f"  {text}" for text in sorted(self._overrides)[:SHOWN]]
            lines += [f"  and {len(self._overrides) - SHOWN} more"] if len(self._overrides) > SHOWN else []
        return lines + self._stale_lines()

    def _left_out(self, reason: str, why: str) -> str:
        cases = self._uncounted[reason]
        runs = sum(cases.values())
        return f"{count(runs, 'run')} not counted ({reason}: {some(sorted(cases), SHOWN)}): {why}"

    def _stale_lines(self) -> list[str]:
        if not self._stale:
            return []
        causes = sorted(self._stale, key=lambda cause: (-len(self._stale[cause]), cause))
        differences = f"{len(causes)} difference{'' if len(causes) == 1 else 's'}"
        lines = [f"stale: {differences} between recordings and today; --agent-record=stale records anew"]
        for suite, cause in causes[:SHOWN]:
            lines.append(f"  {suite}: {cause}: {some(sorted(self._stale[suite, cause]), SHOWN)}")
        return lines if len(causes) <= SHOWN else [*lines, f"  and {len(causes) - SHOWN} more"]


def _act(act: JsonObject) -> str:
    """One human act, in words; a script is not shown as a person."""
    what = f"{act['kind']} of {act['tool']} by {act['by']} ({act['role']}, {act['source']})"
    edit = f" {dumps(act['edit'])}" if act.get("edit") else ""
    refused = f" (did not count: {act['refused']})" if act.get("refused") else ""
    return f"{what}{edit}" + (f": {act['message']}" if act.get("message") else "") + refused


def _cause(sentence: str) -> str:
    """What changed, without what it means for the calls of one recording: that is in the failure, or harmless."""
    first = sentence.partition("\n")[0]
    return first.partition("; its ")[0].partition(", and the recorded call ")[0]


_UNCOUNTED: Mapping[str, str] = {
    "unanswerable": "no recording answers a call of the live model: not comparable (exit code 1)",
    "counterfactual": "the guard stopped a call that the recorded run had made",
}

_WARNINGS: Mapping[str, str] = {"unused_warning": "unused", "approval_unused": "approvals"}

_SENTENCES: Mapping[str, str] = {
    "error": "went wrong around the agent's run (set-up, tear-down, a late call, a lost worker)",
    "recorded": "wrote their recordings",
    "not_recorded": "did not end well, their old recordings were kept (see *.partial.yaml)",
    "unused": "left recorded reads unused",
    "approvals": "have answers of humans that nobody asked for",
    "racy": "had equal calls in flight at once with different answers; which caller got which is chance",
    "child_process": "started a child process, which the network guard does not see",
    "model_never_seen": "name a model, and no request to one was seen: cost and tokens are unknown",
    "no expect": "expect nothing but to complete",
    "degraded": "used so much of their budget that it degraded",
    "dry_run": "had writes answered by their dry run (a policy in shadow mode)",
    "loop": "failed, and called the same again and again",
    "empty_retrieval": "failed, and a read had found nothing",
    "policy_blocked": "failed, and a policy had denied most of their calls",
    "reruns": "have trials of their own, which --reruns leaves alone",
}
