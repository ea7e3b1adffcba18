"""The report ``md``: a pull request comment. The verdict first, then what changed, the numbers, and the cases that failed.

GitHub takes 65 536 characters; what does not fit is left out from the end of the longest list, and the report says how much.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote

from ..errors import BaselineError
from ..schema.disk import write_text
from ..schema.money import total
from ..schema.sentences import count
from ..schema.values import Json, JsonObject
from ..scoring.baseline import NAME, Baseline, read_baseline
from ..scoring.tried import Tried, tried
from . import git
from .results import stream
from .table import UNKNOWN, money, share

LIMIT = 65_536
REASON_CHARS = 300
SHOWN_SUITES = 50
_SIGNS = {"pass": "✅", "inconclusive": "⚠️", "not_comparable": "⚠️"}
_BAD = ("failed", "error")
_RANK = ("fail", "not_comparable", "inconclusive", "not_judged", "pass")


def write(results: Path, path: Path, *, root: Path | None = None, baseline: Path | None = None) -> None:
    """Write it, whole or not at all."""
    write_text(path, page(results, root=root, baseline=baseline))


def append(results: Path, path: Path) -> None:
    """Add it to the page that GitHub shows of a job."""
    with path.open("a", encoding="utf-8", newline="\n") as target:
        target.write(page(results))


def _root(results: Path) -> Path:
    """The rootdir: results lie in its folder ``.agentops``."""
    folder = results.resolve().parent
    return folder.parent if folder.name == ".agentops" else folder


def page(results: Path, *, root: Path | None = None, baseline: Path | None = None, limit: int = LIMIT) -> str:
    """The report of a results file, in at most `limit` characters.

    `root` is the rootdir, where it is not the folder that the results lie under; `baseline` what was compared with, where it is
    not the one that the results name.
    """
    head, cases = stream(results)
    root = root or _root(results)
    now, failed, number = [], [], 0
    for case in cases:
        number += 1
        now.append(tried(case))
        if case.get("status") in _BAD:
            failed.append(_case(case, root))
    path = baseline or root / ((head.get("asked") or {}).get("baseline") or NAME)
    records, problem = _read(path)
    before = _before(head["suites"], now, records)
    lines = [*_verdict(head, number, len(failed)), "", *_gates(head), *_numbers(head, before)]
    if records is not None:
        lines += _age(root, path)
    elif problem:
        lines += [_code(problem), ""]
    return _fitted("\n".join(lines), failed, limit, _from(root, results) or results.name)


def _read(path: Path) -> tuple[Baseline | None, str]:
    """The baseline, or why it says nothing; the session has said so already and failed."""
    try:
        return read_baseline(path), ""
    except BaselineError as problem:
        return None, str(problem)


def _verdict(results: JsonObject, cases: int, bad: int) -> Iterator[str]:
    verdict = str(results["verdict"])
    yield f"## {_SIGNS.get(verdict, '❌')} agent evals: {verdict.replace('_', ' ')}"
    yield ""
    metrics = results["metrics"]
    what = f"{count(cases, 'case')}, {count(metrics.get('runs', 0), 'run')}, mode {results['mode']}"
    part = ", **not all cases ran**" if results.get("selection") == "partial" else ""
    yield f"{what}{part}. {count(bad, 'case')} failed." if bad else f"{what}{part}. No case failed."


def _gates(results: JsonObject) -> Iterator[str]:
    """What changed: the gates, the worst first; those that passed are counted."""
    every = [(name, gate) for name, suite in results["suites"].items() for gate in suite.get("gates") or ()]
    every += [("all suites", gate) for gate in results.get("gates") or ()]
    if not every:
        return
    told = [(name, gate) for name, gate in every if gate["result"] != "pass"]
    told.sort(key=lambda pair: (_RANK.index(pair[1]["result"]) if pair[1]["result"] in _RANK else 0, pair[0], pair[1]["name"]))
    passed = len(every) - len(told)
    yield "### Gates"
    yield ""
    for name, gate in told[:SHOWN_SUITES]:
        sign = "❌" if gate["result"] == "fail" else "⚠️" if gate["result"] != "not_judged" else "➖"
        yield f"- {sign} **{name}** `{gate['name']}` {gate['result'].replace('_', ' ')}: {_code(str(gate.get('why') or ''))}"
        yield from (f"  - {_code(str(detail))}" for detail in gate.get("details") or ())
    if len(told) > SHOWN_SUITES:
        yield f"- and {len(told) - SHOWN_SUITES} more that did not pass"
    if passed:
        yield f"- ✅ {count(passed, 'gate')} passed"
    yield ""


def _numbers(results: JsonObject, before: Mapping[str, JsonObject]) -> Iterator[str]:
    """The four metrics by suite; what a live run measured has its 95 % interval, a replay has no chance in it."""
    suites: Mapping[str, JsonObject] = results["suites"]
    rows = [(name, suite["metrics"]) for name, suite in sorted(suites.items())]
    rows.sort(key=lambda row: (row[1].get("task_success_rate") or 0.0, row[0]))
    left = len(rows) - SHOWN_SUITES
    rows = rows[:SHOWN_SUITES]
    if len(suites) != 1:
        rows.append(("**all suites**", results["metrics"]))
    live = results["mode"] != "replay"
    yield "| suite | success | cost/success | interventions | policy blocks |"
    yield "|---|---:|---:|---:|---:|"
    for name, metrics in rows:
        was = before.get(name, {}) if name in suites else before.get("", {})
        yield f"| {name} | {' | '.join(_cells(metrics, was, live))} |"
    if left > 0:
        yield ""
        yield f"and {left} more suites, none of them with a lower success rate"
    yield ""


def _cells(metrics: JsonObject, was: JsonObject, live: bool) -> Iterator[str]:
    rate = metrics.get("task_success_rate")
    shown = "-" if rate is None else f"{share(rate)} ({metrics['successes']}/{metrics['runs']})"
    yield (
        shown
        + _interval(metrics["successes"], metrics["runs"] - metrics.get("unanswerable", 0), live)
        + _points(rate, was.get("task_success_rate"))
    )
    cost = metrics.get("cost_per_success_usd")
    shown = UNKNOWN if metrics.get("successes") and cost is None else "-" if cost is None else money(cost)
    yield shown + _times(cost, was.get("cost_per_success_usd"))
    touched = metrics.get("intervention_rate")
    runs = metrics["runs"] - metrics.get("unanswerable", 0)
    some = "" if touched is None else _interval(round(touched * runs), runs, live)
    yield share(touched) + some + _points(touched, was.get("intervention_rate"))
    blocks, blocked = metrics.get("policy_blocks"), was.get("policy_blocks")
    more = "" if blocks is None or blocked is None or blocks == blocked else f" ({blocks - blocked:+d})"
    yield ("-" if blocks is None else str(blocks)) + more


def _interval(done: int, runs: int, live: bool) -> str:
    if not live or not runs:
        return ""
    from ..scoring.statistics import interval

    held = interval(done, runs)
    return "" if held is None else f" [{held[0] * 100:.0f}, {held[1] * 100:.0f}]"


def _points(now: Json, was: Json) -> str:
    """Against the baseline; a rate has six places, and what is the same in them is no change."""
    if now is None or was is None or abs(now - was) < 1e-6:
        return ""
    return f" ({(now - was) * 100:+.1f} pt)"


def _times(now: Json, was: Json) -> str:
    if now is None or was is None or Decimal(was) == 0:
        return ""
    more = Decimal(now) / Decimal(was) - 1
    return "" if abs(more) < Decimal("1e-9") else f" ({more * 100:+.1f} %)"


def _before(suites: Mapping[str, JsonObject], now: Sequence[Tried], baseline: Baseline | None) -> dict[str, JsonObject]:
    """The baseline's metrics by suite, and of all under an empty name; only where it is of the same cases, run alike."""
    if baseline is None:
        return {}
    found: dict[str, JsonObject] = {}
    records: list[Tried] = []
    for suite in suites:
        mine = [one for one in now if one.suite == suite and one.trials]
        was = baseline.against(mine, [suite])
        if {(one.id, one.mode) for one in was} == {(one.id, one.mode) for one in mine}:
            found[suite] = _metrics(was)
            records += was
    return {**found, "": _metrics(records)} if len(found) == len(suites) else found


def _metrics(records: Sequence[Tried]) -> JsonObject:
    """The four numbers of a baseline's records, under the names of the results file; unknown if a part is."""
    trials, successes = sum(one.trials for one in records), sum(one.successes for one in records)
    cost = total([one.cost_usd for one in records])
    touched, blocks = [one.intervened for one in records], [one.policy_blocks for one in records]
    return {
        "task_success_rate": successes / trials if trials else None,
        "cost_per_success_usd": None if cost is None or not successes else str(cost / successes),
        "intervention_rate": sum(t for t in touched if t is not None) / trials if trials and None not in touched else None,
        "policy_blocks": None if None in blocks else sum(b for b in blocks if b is not None),
    }


def _age(root: Path, path: Path) -> Iterator[str]:
    """How old what we compare with is."""
    file = _from(root, path) or path.name
    found = git.age(root, path)
    if found is None:
        yield f"Baseline: `{file}`, its age is not known here (no git history)."
    else:
        changed = ", changed since" if found.changed else ""
        yield f"Baseline: `{file}` of {found.day}, {count(found.commits, 'commit')} ago{changed}."
    yield ""


# ---- cases that failed


def _case(case: JsonObject, root: Path) -> str:
    name = case["id"] if case.get("variant") is None else f"{case['id']}~{case['variant']}"
    runs = case.get("trials") or []
    failed = [run for run in runs if not run.get("success")]
    passed = f" {len(runs) - len(failed)} of {len(runs)} trials passed." if len(runs) > 1 else ""
    lines = [f"- [{name}]({_link(case, root)}):{passed} {_code(_why(case, failed))}"]
    return "\n".join(lines)


def _why(case: JsonObject, failed: Sequence[JsonObject]) -> str:
    if not failed:
        return "around its run something went wrong" if case.get("status") == "error" else "it failed"
    run = failed[0]
    bad = [check for check in run.get("checks") or () if not check.get("passed")]
    problems = [
        problem for problem in run.get("problems") or () if problem.get("kind") not in ("unused_warning", "approval_unused")
    ]
    parts = [f"{problem['kind']}: {problem['text']}" for problem in problems[:1]]
    parts += [f"check {check['name']}: {check.get('why') or 'failed'}" for check in bad[:2]]
    return "; ".join(parts) or f"outcome {run.get('outcome')}"


def _link(case: JsonObject, root: Path) -> str:
    """The line of the case: on GitHub where a job runs there, else in the project."""
    file = str(case.get("file") or "")
    server, repo, sha = (os.environ.get(f"GITHUB_{name}") for name in ("SERVER_URL", "REPOSITORY", "SHA"))
    line = f"#L{case.get('line') or 1}"
    top = Path(os.environ.get("GITHUB_WORKSPACE") or root)
    inside = _from(top, root / file)
    if not (server and repo and sha and inside):
        return quote(file) + line
    return f"{server}/{repo}/blob/{sha}/{quote(inside)}{line}"


def _from(top: Path, path: Path) -> str:
    """Where a file is from a folder that it lies in; an empty string where it lies elsewhere."""
    try:
        return path.resolve().relative_to(top.resolve()).as_posix()
    except ValueError:
        return ""


def _code(words: str) -> str:
    """Somebody else's text: on one line, cut, and so that it makes no link, mention or markup."""
    plain = " ".join(words.replace("`", "'").split())
    cut = plain if len(plain) <= REASON_CHARS else f"{plain[:REASON_CHARS]}…"
    return f"`{cut}`" if cut else ""


def _fitted(head: str, cases: Sequence[str], limit: int, file: str) -> str:
    """The head and as many of the cases as there is room for; `file` has them all."""
    if not cases:
        return _cut(f"{head}\n", limit, file)
    whole = f"{head}\n### Failed cases\n\n"
    room = limit - len(whole) - len(_left(len(cases), file))
    shown = 0
    while shown < len(cases) and (room := room - len(cases[shown]) - 1) >= 0:
        shown += 1
    rest = _left(len(cases) - shown, file) if shown < len(cases) else ""
    return _cut(whole + "".join(f"{case}\n" for case in cases[:shown]) + rest, limit, file)


def _left(number: int, file: str) -> str:
    return f"- and {count(number, 'more failed case')}, for which there is no room here; `{file}` has them all\n"


def _cut(text: str, limit: int, file: str) -> str:
    if len(text) <= limit:
        return text
    note = f"\n\n(cut here: it is longer than a comment may be; `{file}` has all)\n"
    return text[: limit - len(note)].rpartition("\n")[0] + note
