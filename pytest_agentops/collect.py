"""Case files as pytest modules, cases as pytest functions: fixtures, marks, node ids, xdist and JUnit are pytest's own."""

from __future__ import annotations

import functools
import inspect
import os
import re
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .errors import CaseFileError, CheckFailed, LoadError, Mistake
from .gated import told, warn_of_unproven
from .loading.kinds import IsPolicyFile
from .loading.suite import LoadedSuite, Variant, load_suite
from .parts import Fixture, Parts, agent_part, refs_of, tool_parts
from .policies import PolicyFiles, check_suite
from .policy_tests import PolicyItem
from .registry import Registry
from .reports.results import case_json
from .runner.surroundings import offline
from .schema.case import Case
from .schema.parsed import ParsedCache
from .schema.run import Run
from .schema.suggest import did_you_mean
from .schema.values import JsonObject
from .settings import Settings
from .workbench import lint_suite

if TYPE_CHECKING:
    import pluggy


class Suites:
    """The suite files of one session: what is loaded once, and the names that are taken."""

    def __init__(self, settings: Settings, registry: Registry, cache: ParsedCache) -> None:
        self.settings = settings
        self.registry = registry
        self.cache = cache
        """What YAML files said in earlier sessions."""
        self.hooks: dict[str, pluggy.HookRelay] | None = None
        """Of each folder, from the end of the collection on."""
        self.shapes = Shapes()
        self._names: dict[str, Path] = {}
        self._tags: set[str] = set()
        self._parts: dict[tuple[Path, str], Parts] = {}
        self.policies = PolicyFiles(settings.rootdir)
        self.told: dict[str, JsonObject] = {}
        """What the controller must know of the suites to judge their gates."""

    def parts(self, variant: Variant, base: Path) -> Parts:
        """The code of a variant; loaded once for all that name the same from the same folder.

        Raises `LoadError`, and `CaseFileError` for a policy file with mistakes.
        """
        key = (base, variant.key)
        if key not in self._parts:
            self._parts[key] = _parts(variant, base, self.registry, self.policies)
        return self._parts[key]

    def register_tags(self, suite: LoadedSuite, config: pytest.Config) -> None:
        """Tags are marks: known to pytest before the first use, also under --strict-markers."""
        for tag in {tag for variant in suite.variants for tag in variant.tags} - self._tags:
            self._tags.add(tag)
            config.addinivalue_line("markers", f"{tag}: a tag of agent eval cases")

    def claim(self, suite: LoadedSuite, path: Path) -> None:
        """Two collected suites of one name would share cassettes: an error."""
        other = self._names.setdefault(suite.name, path)
        if other != path:
            shown = os.path.relpath(other, self.settings.rootdir).replace(os.sep, "/")
            raise CaseFileError(
                [
                    Mistake(
                        file=suite.file,
                        line=1,
                        col=1,
                        found=f"suite {suite.name!r} is the name of {shown} too",
                        hint="give one of them another `suite:`",
                    )
                ]
            )

    def named(self, name: str) -> Path | None:
        """The file of a collected suite."""
        return self._names.get(name)


SUITES = pytest.StashKey[Suites]()


class CaseFile(pytest.Module):
    """One suite file. A Module, so that module-scoped fixtures find their node; nothing is imported for it."""

    @classmethod
    def of(cls, parent: pytest.Collector, path: Path) -> CaseFile:
        file: CaseFile = cls.from_parent(parent, path=path, name=path.name)
        file.obj = types.ModuleType(path.stem)
        return file

    def collect(self) -> Iterator[CaseItem | PolicyItem]:
        suites = self.config.stash[SUITES]
        try:
            suite = load_suite(
                self.path, suites.settings.rootdir, checks=tuple(suites.registry.external("checks")), cache=suites.cache
            )
            suites.claim(suite, self.path)
            suites.register_tags(suite, self.config)
            suites.told[suite.name] = told(suite, suites.settings.trials)
            warn_of_unproven(suite, suites.told[suite.name])
            parts = _all_parts(suite, suites)
            if any(own.policies for own in parts.values()):
                lint_suite(self.config, suite, parts)
        except IsPolicyFile:
            yield from self._policy_tests(suites)
            return
        except (CaseFileError, LoadError, pytest.UsageError) as error:
            raise self.CollectError(str(error)) from None
        for variant in suite.variants:
            own = parts[variant.key]
            yield CaseItem.make(self, variant, own, suites.shapes.of(variant, own))

    def _policy_tests(self, suites: Suites) -> Iterator[PolicyItem]:
        from .policies import contracts_for
        from .policy_tests import policy_items

        try:
            file = suites.policies.load(self.path)
        except CaseFileError as error:
            raise self.CollectError(str(error)) from None
        if any(policy.tests for policy in file.policies):
            yield from policy_items(self, file, *contracts_for(self.path, suites))


def _all_parts(suite: LoadedSuite, suites: Suites) -> dict[str, Parts]:
    """The code of every variant, each reference loaded once; all that cannot be had is one error."""
    base = suite.path.parent
    known: dict[str, Parts] = {}
    mistakes: dict[str, Mistake] = {}
    for variant in suite.variants:
        if variant.key in known:
            continue
        try:
            known[variant.key] = suites.parts(variant, base)
        except LoadError as error:  # the first place that names it is shown
            line, col = variant.place(error.key, error.ref)
            mistakes.setdefault(str(error), Mistake(file=suite.file, line=line, col=col, found=str(error)))
        except CaseFileError as error:
            mistakes.update({str(mistake): mistake for mistake in error.mistakes})
    if not mistakes and suites.settings.model is None:
        mistakes = {str(mistake): mistake for mistake in _without_model(suite, known)}
    if not mistakes and any(own.policies for own in known.values()):
        mistakes = {str(mistake): mistake for mistake in check_suite(suite, known)}
    if mistakes:
        raise CaseFileError(list(mistakes.values()))
    return known


def _without_model(suite: LoadedSuite, parts: Mapping[str, Parts]) -> Iterator[Mistake]:
    """Cases of the built-in agent that name no model; building a case costs more than to see that it says nothing."""
    for variant in suite.variants:
        if parts[variant.key].built_in == "openai" and "model" not in variant.head.defaults and '"model"' not in variant.payload:
            from .agents.openai.options import no_model

            line, col = variant.place("agent")
            yield Mistake(file=variant.file, line=line, col=col, found=f"case {variant.id}: {no_model()}")


def _parts(variant: Variant, base: Path, registry: Registry, policies: PolicyFiles) -> Parts:
    from . import code

    with offline():  # imports may not reach out in any mode: what connects at import cannot be replayed
        with _named_under("agent"):
            if variant.agent is None:
                raise LoadError(
                    "no agent: say `agent:` for the suite or the case",
                    hint="./agent.py:my_agent, module:attr, a fixture or a built-in",
                )
            agent, built_in = agent_part(variant.agent, base, registry)
        with _named_under("tools"):
            tools = tool_parts(variant.tools, base)
        with _named_under("python"):
            python = {ref: code.load(ref, base) for ref in variant.python}
            for ref, function in python.items():
                if not callable(function):
                    raise LoadError(f"python: {ref} is a {type(function).__name__}, no function", ref=ref)
    names = tuple(str(ref) for ref in refs_of(variant.tools))
    with _named_under("policies"):
        files = policies.named(variant.policies, base) if variant.policies else ()
    return Parts(agent=agent, tools=tools, tool_names=names, python=python, policies=files, built_in=built_in)


@contextmanager
def _named_under(key: str) -> Iterator[None]:
    """What cannot be had in the block is named under this key of the case."""
    try:
        yield
    except LoadError as error:
        error.key = key
        raise


class Shapes:
    """One function a set of fixtures and marks, shared by all cases that are alike."""

    def __init__(self) -> None:
        self._made: dict[tuple[object, ...], Callable[..., None]] = {}

    def of(self, variant: Variant, parts: Parts) -> Callable[..., None]:
        key = (parts.fixtures, variant.fixtures, variant.tags, variant.skip, variant.xfail)
        if key not in self._made:
            self._made[key] = _shape(variant, parts)
        return self._made[key]


def _shape(variant: Variant, parts: Parts) -> Callable[..., None]:
    def run_case(**fixtures: object) -> None:
        raise AssertionError("unreachable: the session's pytest_pyfunc_call runs the case")

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    run_case.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in parts.fixtures])  # type: ignore[attr-defined]
    marked: Callable[..., None] = run_case
    # marks go on before the item is made: `usefixtures` added to an item later is ignored by pytest
    for tag in variant.tags:
        marked = getattr(pytest.mark, tag)(marked)
    if variant.fixtures:
        marked = pytest.mark.usefixtures(*variant.fixtures)(marked)
    if variant.skip is not None:
        marked = pytest.mark.skip(reason=variant.skip)(marked)
    if variant.xfail is not None:
        marked = pytest.mark.xfail(reason=variant.xfail)(marked)
    return marked


class CaseItem(pytest.Function):
    """One variant of a case. With several trials each runs on an item of its own with the same node id."""

    variant: Variant
    parts: Parts
    trial: int
    runs: list[Run]
    """The trials that no report has told of yet; shared by the items of one variant."""
    silent: bool
    """Whether the report of the phase that runs is made for other plugins only, and not logged."""
    setup_read: bool
    """Whether a fixture asked for the case."""

    @classmethod
    def make(
        cls,
        parent: CaseFile,
        variant: Variant,
        parts: Parts,
        shape: Callable[..., None],
        *,
        trial: int = 1,
        runs: list[Run] | None = None,
    ) -> CaseItem:
        item: CaseItem = cls.from_parent(parent, name=variant.name, callobj=shape)
        item.variant = variant
        item.parts = parts
        item.trial = trial
        item.runs = [] if runs is None else runs
        item.silent = item.setup_read = False
        return item

    def again(self, trial: int) -> CaseItem:
        """A fresh item for the next trial; the runs so far go with it."""
        return CaseItem.make(self.parent, self.variant, self.parts, self.obj, trial=trial, runs=self.runs)  # type: ignore[arg-type]

    @property
    def trials(self) -> int:
        """How many trials this variant has in this session."""
        return self.config.stash[SUITES].settings.trials or self.variant.trials

    def case(self) -> Case:
        """The case as it is run in this session."""
        case, model = self.variant.case(), self.config.stash[SUITES].settings.model
        if self.trials == case.trials and model is None:
            return case
        return replace(case, fields=replace(case.fields, trials=self.trials, model=model or case.fields.model))

    @property
    def ihook(self) -> pluggy.HookRelay:
        """With what the folder's conftest files say; pytest looks for them at every use, and all are known once tests run."""
        known = self.config.stash[SUITES].hooks
        if known is None:
            return super().ihook
        folder = self.variant.head.base_dir
        if folder not in known:
            known[folder] = super().ihook
        return known[folder]

    @functools.cached_property
    def location(self) -> tuple[str, int | None, str]:
        """What pytest would make of `reportinfo`, without comparing paths once more."""
        return self.variant.file.replace("/", os.sep), self.variant.line - 1, self.name

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, self.variant.line - 1, self.name

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Our own failures are whole texts; a traceback would only hide them."""
        if isinstance(excinfo.value, (CheckFailed, LoadError)):
            return str(excinfo.value)
        return super().repr_failure(excinfo)

    def words_for(self, error: BaseException, text: str) -> str | None:
        """What to show for an error of set-up or tear-down in place of pytest's `text`; None where that is right."""
        if isinstance(error, CheckFailed):
            return str(error)
        if isinstance(error, pytest.FixtureLookupError):  # pytest shows where the test function is: that is this file
            here = re.escape(__file__)
            text = re.sub(rf"file {here}, line \d+\n.*\n", f"file {self.variant.file}, line {self.variant.line}\n", text)
            return re.sub(rf"{here}:\d+", f"{self.variant.file}:{self.variant.line}", text) + self._meant(error.argname)
        if "has no parameter defined" in str(error):
            return f"{text}\na parametrized fixture cannot reach a case: write its values as `matrix:` in {self.path.name}"
        return None

    def _meant(self, name: str | None) -> str:
        """What `agent` or `tools` may have meant by a name that is no fixture."""
        if name == self.variant.agent:
            known = self.config.stash[SUITES].registry.names("agents")
            near = did_you_mean(str(name), known)
            said = f"agent: {name!r} is neither a registered agent ({', '.join(known)}) nor a fixture; {near}"
            return f"\n{said.rstrip('; ')}; a function is named ./agent.py:my_agent"
        if name in refs_of(self.variant.tools):
            return f"\ntools: {name!r} is no fixture; tools in a file are named ./tools.py:my_tools"
        return ""

    @property
    def fixture_values(self) -> dict[str, Any]:
        """The values of the fixtures that YAML named."""
        return {name: self.funcargs[name] for name in self.parts.fixtures}

    def resolved(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """The agent and the tool parts, fixtures replaced by their values."""
        values = self.fixture_values
        agent = values[self.parts.agent.name] if isinstance(self.parts.agent, Fixture) else self.parts.agent
        if not callable(agent):
            raise LoadError(f"the fixture {self.variant.agent!r} gave a {type(agent).__name__}, no callable agent(task, tools)")
        return agent, tuple(values[p.name] if isinstance(p, Fixture) else p for p in self.parts.tools)


def variant_json(variant: Variant, trials: list[JsonObject]) -> JsonObject:
    """A variant as a case of the results file, but for its status, which the controller knows."""
    case = case_json(
        id=f"{variant.suite}/{variant.id}",
        suite=variant.suite,
        variant=variant.variant,
        file=variant.file,
        line=variant.line,
        tags=variant.tags,
        trials=trials,
    )
    if variant.head.budget:
        case["suite_budget"] = variant.head.budget
    if "spend_spike" in variant.head.runbooks:  # the one detector that speaks when every run is in
        case["spend_runbook"] = variant.head.runbooks["spend_spike"]
    case["digest"] = variant.asks
    return case
