"""Recorded runs from a results file, or from conversations: what agents really did."""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import AgentOpsError, CaseFileError
from .sources import Facts, contracts_of, facts_of, mapping, moment, policy_files, shown
from .versions import now, place_of

if TYPE_CHECKING:
    from ...policy.model import Policy
    from ...policy.played import PlayedCall, PlayedRun
    from ...policy.standing import Standing
    from ...schema.case import Case
    from ...schema.contract import Contract


def add_recorded(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--results", type=Path, metavar="FILE", help="runs of pytest --agent-evals: .agentops/results.json")
    parser.add_argument("--transcripts", type=Path, metavar="FILE", help="recorded conversations, as `import` reads them")
    parser.add_argument("--contracts", type=Path, metavar="FILE", help="with --transcripts: YAML like a suite's `contracts:`")
    parser.add_argument("--context", default="{}", metavar="JSON", help="with --transcripts: the context that policies see")
    parser.add_argument(
        "--clock", type=moment, metavar="TIME", help="with --transcripts: when the runs were, ISO 8601 with a zone"
    )


def recorded_runs(options: argparse.Namespace, facts: Facts) -> list[PlayedRun]:
    """The runs; contracts that they tell of are added to the facts. Raises `AgentOpsError` where there is none."""
    runs: list[PlayedRun] = []
    if options.results:
        runs += from_results(options.results, _rootdir(options.results), facts)
    if options.transcripts:
        runs += _from_transcripts(options, facts)
    if not runs:
        raise AgentOpsError("there are no recorded runs: name them with --results or --transcripts")
    return runs


def concerned_runs(options: argparse.Namespace) -> tuple[Standing, list[PlayedRun], Facts]:
    """The policies that were named, the recorded runs whose cases name one of their files, and what is known around them.

    Runs that had left their recording are no evidence of what agents do.
    """
    from ...policy.standing import fitted

    files = policy_files(options.paths)
    facts = facts_of(options, options.paths, files)
    runs, given = recorded_runs(options, facts), now(options.paths, files)
    mine = fitted(given, named_by(runs)) or given
    return mine, [run for run in runs if mine.concerns(run) and not run.counterfactual], facts


def named_by(runs: Iterable[PlayedRun]) -> dict[str, tuple[Policy, ...]]:
    """The policy files that the cases of the runs name, as they are now."""
    return {place: policies for run in runs for place, policies in run.own.items()}


# --- results


def _rootdir(results: Path) -> Path:
    """Where the names of a results file start: its session wrote it below `.agentops`; elsewhere nobody says, so here."""
    whole = results.absolute()
    return next((folder.parent for folder in whole.parents if folder.name == ".agentops"), Path.cwd())


def from_results(path: Path, root: Path, facts: Facts) -> Iterator[PlayedRun]:
    """The runs of a results file, in which files are named from the rootdir."""
    from ...reports.results import load

    known = {(case.suite, case.id, case.variant): case for case in facts.cases}
    unknown: set[str] = set()
    for found in load(path)["cases"]:
        suite, ident = found["suite"], str(found["id"]).rpartition("/")[2]
        key = (suite, ident, found.get("variant"))
        if key not in known:
            known |= _cases_of(str(found.get("file", "")), root, facts, unknown)
        case = known.get(key)
        name = found["id"] + (f"~{found['variant']}" if found.get("variant") else "")
        if case is None and name not in unknown:
            unknown.add(name)
            facts.notes.append(f"{name}: its suite does not load, so its context and principal are not known")
        for trial in found.get("trials", ()):
            yield _run(name, trial, case, f"{found.get('file', path.as_posix())}:{found.get('line', 1)}", root, facts)


def _cases_of(file: str, root: Path, facts: Facts, failed: set[str]) -> dict[tuple[str, str, str | None], Case]:
    """The cases of the suite file that a result names; once."""
    from ...loading.suite import load_suite

    if not file or file in failed or not (root / file).is_file() or not file.endswith((".yaml", ".yml")):
        return {}
    failed.add(file)
    try:
        cases = [variant.case() for variant in load_suite(root / file, root).variants]
        for case in cases[:1]:
            facts.contracts_by_suite.setdefault(case.suite, dict(contracts_of(case, facts.notes)))
    except (CaseFileError, AgentOpsError) as problem:
        facts.notes.append(f"{file} does not load: {str(problem).splitlines()[0]}")
        return {}
    facts.cases += cases
    return {(case.suite, case.id, case.variant): case for case in cases}


def _run(name: str, trial: dict[str, Any], case: Case | None, place: str, root: Path, facts: Facts) -> PlayedRun:
    from ...policy.played import PlayedRun
    from ...schema.case import Principal

    cost = trial.get("cost_usd")
    fields = case.fields if case is not None else None
    return PlayedRun(
        id=name,
        trial=int(trial.get("trial", 1)),
        calls=tuple(_call(call) for call in trial.get("calls", ())),
        context=(fields.context if fields is not None else None) or {},
        principal=(fields.principal if fields is not None else None) or Principal(),
        now=_time(fields.clock) if fields is not None and fields.clock else _recorded_at(trial, root),
        success=bool(trial["success"]) if "success" in trial else None,
        cost_usd=None if cost is None else Decimal(cost),
        interventions=tuple(trial.get("interventions") or ()),
        counterfactual="counterfactual" in (trial.get("labels") or ()),
        pinned=bool((trial.get("pins") or {}).get("policy")),
        without_model=(trial.get("tokens") or {}) == {"input": 0, "output": 0}
        and trial.get("steps") == len(trial.get("calls", ())),
        place=place,
        contracts=facts.contracts_by_suite.get(case.suite, {}) if case is not None else {},
        policies=None if case is None else tuple(_policies_of(case)),
        own={} if case is None else {place: _read(path, facts) for place, path in _policies_of(case).items()},
        suite="" if case is None else place_of(Path(case.base_dir) / Path(case.file).name),
    )


def _policies_of(case: Case) -> dict[str, Path]:
    """The policy files that the case names, by their places."""
    paths = [Path(case.base_dir) / ref for ref in case.fields.policies or ()]
    return {place_of(path): path for path in paths}


def _read(path: Path, facts: Facts) -> tuple[Policy, ...]:
    """The policies of a file that a case names, as they are now; read once, and noted where it has mistakes."""
    from ...policy.files import load

    path = Path(place_of(path))
    if path not in facts.policies:
        try:
            facts.policies[path] = load(path, Path.cwd()).policies
        except CaseFileError as problem:
            facts.policies[path] = ()
            facts.notes.append(f"{shown(path)} does not load: {str(problem).splitlines()[0]}")
    return facts.policies[path]


def _recorded_at(trial: dict[str, Any], root: Path) -> dt.datetime | None:
    """The clock of the recording that was replayed: windows saw it."""
    from ...tape.cassette import read

    cassette = trial.get("cassette")
    if not isinstance(cassette, str) or not (root / cassette / "tools.yaml").is_file():
        return None
    try:
        clock = read(root / cassette / "tools.yaml").clock
    except AgentOpsError:
        return None
    return None if clock is None else _time(clock)


def _call(call: dict[str, Any]) -> PlayedCall:
    from ...policy.played import PlayedCall

    return PlayedCall(
        tool=str(call.get("tool")),
        args=call.get("args") or {},
        decision=call.get("decision"),
        rule=call.get("rule"),
        reason=call.get("reason"),
        repeated=call.get("decision") == "allow" and call.get("source") == "none" and call.get("reason", "") is None,
        reached=call.get("source", "none") != "none",
        failed=bool(call.get("error")),
    )


def _time(text: str) -> dt.datetime | None:
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=dt.UTC)


# --- conversations


def _from_transcripts(options: argparse.Namespace, facts: Facts) -> Iterator[PlayedRun]:
    from ...cli.importer.lines import Malformed, parse, physical_lines
    from ...policy.played import PlayedCall, PlayedRun

    path: Path = options.transcripts
    if not path.is_file():
        raise AgentOpsError(f"{path.as_posix()}: no such file")
    context = mapping(options.context, "--context")
    counts: dict[str, int] = {}
    declared: dict[str, Any] = {}
    called: dict[str, None] = {}
    runs = []
    for number, raw in physical_lines(path):
        try:
            line = parse(number, raw)
        except Malformed as problem:
            facts.notes.append(f"{shown(path)}:{number}: not read: {problem}")
            continue
        declared |= line.tools or {}
        called.update(dict.fromkeys(a.asked.tool for a in line.answered))
        counts[line.id] = line.trial if line.trial is not None else counts.get(line.id, 0) + 1
        costs = [message.cost_usd for message in line.transcript.messages if message.role == "assistant"]
        stated = [cost for cost in costs if cost is not None]
        total = sum(stated, Decimal(0)) if stated and len(stated) == len(costs) else None
        runs.append(
            PlayedRun(
                id=line.id,
                trial=counts[line.id],
                calls=tuple(PlayedCall(tool=a.asked.tool, args=a.asked.args, failed=a.error is not None) for a in line.answered),
                context=context,
                now=options.clock,
                cost_usd=line.transcript.agent_cost_usd if line.transcript.agent_cost_usd is not None else total,
                pinned=False,
                place=f"{shown(path)}:{number}",
                contracts=facts.contracts,
            )
        )
    _contracts(facts, declared, called, options.contracts)
    yield from runs


def _contracts(facts: Facts, declared: dict[str, Any], called: dict[str, None], path: Path | None) -> None:
    """What the conversations declare, with what the person adds; a tool that is only called takes anything."""
    from ...cli.importer.contracts import read_contracts
    from ...loading.build import build
    from ...schema.case import ContractSpec
    from ...schema.contract import Contract
    from ...tools.contracts import from_spec

    added = read_contracts(path) if path is not None else {}
    for name in dict.fromkeys((*declared, *called, *added)):
        if name in facts.contracts:
            continue
        fields = {**declared.get(name, {}), **added.get(name, {})}
        made: Contract = from_spec(name, build(ContractSpec, fields)) if fields else Contract(name=name, open=True)
        facts.contracts[name] = made
    without = [name for name in called if facts.contracts[name].tier is None]
    if without:
        facts.notes.append(
            f"nobody names the tier of {len(without)} tools ({', '.join(without[:4])}{', ...' if len(without) > 4 else ''}): "
            "it is 4 unless a policy names it (--contracts FILE declares tiers)"
        )


__all__ = ["add_recorded", "concerned_runs", "from_results", "named_by", "recorded_runs"]
