"""The policy files that cases name, of any version of a suite."""

from __future__ import annotations

from pytest_agentops.loading.named import policies_named
from pytest_agentops.schema.document import read

SUITE = """\
version: 1
agent: transcript
policies: [./a.yaml]
defaults: {policies: [./b.yaml]}
cases:
  - {id: plain, task: x}
  - {id: own, task: x, policies: [./c.yaml]}
  - {id: none, task: x, policies: []}
  - {id: each, task: x, matrix: {policies: [{id: one, value: [./d.yaml]}, {id: two, value: [./e.yaml]}]}}
  - {id: wrong, taskk: x}
"""


def test_as_the_loader_would_say_and_whatever_else_is_wrong() -> None:
    named = policies_named(read(SUITE, file="HEAD:cases/Refunds.yaml"))
    assert named == {
        "refunds/plain": ("./b.yaml",),
        "refunds/own": ("./c.yaml",),
        "refunds/none": (),
        "refunds/each~one": ("./d.yaml",),
        "refunds/each~two": ("./e.yaml",),
        "refunds/wrong": ("./b.yaml",),
    }
    assert list(policies_named(read("version: 1\nsuite: s\ncases: 3\n", file="s.yaml"))) == []
