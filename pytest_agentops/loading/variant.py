"""What a suite file becomes: variants, small until they run, since ten thousand of them may wait in one session."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ..schema.case import Case, CaseFields, ContractSpec, Ref
from ..schema.paths import Concrete
from ..schema.prices import ModelPrice
from ..schema.values import JsonObject, copied, loads
from . import places
from .build import build
from .merge import merged, with_point
from .rules import is_prompt_file


@dataclass(frozen=True, slots=True)
class SuiteHead:
    """What all variants of a file share."""

    name: str
    file: str
    base_dir: str
    contracts: JsonObject = field(repr=False)
    checks: frozenset[str]
    """Keys under `expect` that belong to checks from outside."""
    budget: dict[str, float] = field(default_factory=dict)
    """What all runs of the suite may use in one session."""
    runbooks: dict[str, str] = field(default_factory=dict, repr=False)
    prices: JsonObject = field(default_factory=dict, repr=False)
    slo: JsonObject = field(default_factory=dict, repr=False)
    defaults: JsonObject = field(default_factory=dict, repr=False)
    """What every case starts from: the fields of the file's top level, and `defaults`."""
    lines: dict[str, int] = field(default_factory=dict, repr=False)
    """``expect.*`` and ``turns[n].expect.*`` -> line, in `defaults`."""
    places: dict[str, list[int]] = field(default_factory=dict, repr=False)
    """``agent``, ``tools``, ``tools[n]``, ``python`` -> line and column, in `defaults` or at the top of the file."""
    gates: JsonObject = field(default_factory=dict, repr=False)
    gate_places: dict[str, list[int]] = field(default_factory=dict, repr=False)
    """A gate's name -> line and column."""
    prompts: dict[str, str] = field(default_factory=dict, repr=False)
    """The texts of prompt files, as they were when the suite was loaded."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One variant of a case, ready to be collected; `case()` gives the whole of it."""

    head: SuiteHead = field(repr=False)
    id: str
    variant: str | None
    line: int
    tags: tuple[str, ...]
    fixtures: tuple[str, ...]
    skip: str | None
    xfail: str | None
    trials: int
    agent: Ref | None
    tools: Ref | tuple[Ref, ...] | None
    python: tuple[str, ...]
    policies: tuple[str, ...]
    """Policy files, as the YAML names them from the suite's folder."""
    asks: str
    """The digest of what the agent is asked and what is expected of it; a baseline of another is not comparable."""
    payload: str = field(repr=False)
    """JSON text: `own` fields, the `point` of the matrix, `lines` of checks, `places` of code. Defaults are in the head."""

    @property
    def suite(self) -> str:
        return self.head.name

    @property
    def file(self) -> str:
        return self.head.file

    @property
    def name(self) -> str:
        """``case`` or ``case~variant``: what pytest calls it, and the cassette's folder."""
        return self.id if self.variant is None else f"{self.id}~{self.variant}"

    @property
    def key(self) -> str:
        """Equal for variants that are made of the same code."""
        return repr((self.agent, self.tools, self.python, self.policies))

    def place(self, key: str, ref: str = "") -> tuple[int, int]:
        """Line and column where `agent`, `tools` or `python` stands, with `ref` of that item of `tools`; else of the case."""
        known = {**self.head.places, **loads(self.payload)["places"]}
        names = [one if isinstance(one, str) else str(one) for one in self.tools] if isinstance(self.tools, tuple) else []
        item = f"{key}[{names.index(ref)}]" if key == "tools" and ref in names else key
        line, col = known.get(item) or known.get(key) or (self.line, 1)
        return line, col

    def place_of(self, place: Concrete, path: Path) -> tuple[int, int]:
        """Line and column of any place of the case in its file at `path`, which is read again."""
        return places.again(path, self.file, self.id, loads(self.payload)["point"], place)

    def case(self) -> Case:
        """The case as the runner and the checks read it."""
        kept = loads(self.payload)
        # an agent may change the setup that it is given: what all cases start from stays as it was written
        fields = with_point(merged(copied(self.head.defaults), kept["own"]), kept["point"])
        prompt = fields.get("prompt")
        if prompt in self.head.prompts and is_prompt_file(prompt):
            fields["prompt"] = self.head.prompts[prompt]
        more = {}
        if self.head.checks and fields.get("expect"):
            fields["expect"] = dict(fields["expect"])  # what it shares with the head is not changed
            more = {key: fields["expect"].pop(key) for key in sorted(self.head.checks & fields["expect"].keys())}
        return Case(
            id=self.id,
            suite=self.head.name,
            variant=self.variant,
            file=self.head.file,
            line=self.line,
            fields=build(CaseFields, fields),
            contracts={name: build(ContractSpec, spec) for name, spec in self.head.contracts.items()},
            lines={**self.head.lines, **kept["lines"]},
            more_checks=more,
            base_dir=self.head.base_dir,
            suite_budget=self.head.budget,
            runbooks=self.head.runbooks,
            prices={name: build(ModelPrice, spec) for name, spec in self.head.prices.items()},
        )


@dataclass(frozen=True, slots=True)
class LoadedSuite:
    """A suite file that is right."""

    name: str
    file: str
    """Relative to the rootdir, with forward slashes."""
    path: Path
    description: str | None
    variants: list[Variant] = field(repr=False)
    digest: str
    """Of the file's text."""
