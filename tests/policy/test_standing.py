"""Which policy files a recorded run was under: by the place of the file, wherever the version lies."""

from __future__ import annotations

import pytest

from pytest_agentops.errors import AgentOpsError
from pytest_agentops.policy.files import load_text
from pytest_agentops.policy.model import Policy
from pytest_agentops.policy.played import PlayedRun
from pytest_agentops.policy.standing import Files, Standing, fitted, instead

from .conftest import rules


def policy(ident: str = "p", file: str = "shown.yaml") -> tuple[Policy, ...]:
    return load_text(rules("{deny: true}", more=f"id: {ident}"), file=file).policies


def files(**places: str) -> Files:
    return {
        f"/{place.replace('__', '/')}.yaml": policy(ident, file=f"{place.replace('__', '/')}.yaml")
        for place, ident in places.items()
    }


def run(ident: str = "s/x", policies: tuple[str, ...] | None = ("/c/a/p.yaml",), suite: str = "/c/a/s.yaml") -> PlayedRun:
    return PlayedRun(id=ident, policies=policies, suite=suite)


CASES = files(c__a__p="a", c__b__p="b")


def test_a_version_that_lies_where_cases_look_for_it_stands_for_itself() -> None:
    side = Standing(files=CASES, folders=("/c",))
    assert fitted(side, CASES) is side


def test_a_folder_stands_for_the_folder_with_the_same_paths() -> None:
    side = Standing(
        files=files(old__a__p="a", old__b__p="b", old__b__gone="g"), folders=("/old",), named={"s/x": ("/old/a/p.yaml",)}
    )
    found = fitted(side, CASES)
    assert found is not None
    assert (sorted(found.files), found.folders) == (["/c/a/p.yaml", "/c/b/gone.yaml", "/c/b/p.yaml"], ("/c",))
    assert found.named == {"s/x": ("/c/a/p.yaml",)}
    assert found.files["/c/a/p.yaml"][0].id == "a"  # by path: the other file of the name is another one
    assert found.covers("/c/new.yaml")
    assert not found.covers("/other/p.yaml")


def test_of_folders_with_equal_paths_the_ids_of_the_policies_tell() -> None:
    found = fitted(Standing(files=files(old__p="b"), folders=("/old",)), CASES)
    assert found is not None
    assert list(found.files) == ["/c/b/p.yaml"]


def test_what_may_stand_for_several_is_a_mistake_that_names_them() -> None:
    same = files(c__a__p="p", c__b__p="p")
    for side in (Standing(name="old", files=files(old__p="p"), folders=("/old",)), Standing(name="old", files=files(old="p"))):
        with pytest.raises(AgentOpsError, match=r"old: it may stand for c/a/p\.yaml or for c/b/p\.yaml"):
            fitted(side, same)


def test_a_single_file_is_known_by_its_name_else_by_an_id() -> None:
    by_id = fitted(Standing(files=files(old="b")), CASES)
    assert by_id is not None
    assert (list(by_id.files), by_id.folders) == (["/c/b/p.yaml"], ())
    assert fitted(Standing(files=files(p="x")), files(c__p="y")) is not None
    assert fitted(Standing(files=files(x__old="z")), CASES) is None
    one = instead(Standing(files=files(x__old="z")), Standing(files=files(c__a__p="a")))
    assert one is not None
    assert list(one.files) == ["/c/a/p.yaml"]
    assert instead(Standing(files=CASES), Standing(files=CASES)) is None
    assert fitted(Standing(files=files(x__one="q", x__two="r"), folders=("/x",)), CASES) is None


def test_the_suites_of_a_version_say_who_was_under_what() -> None:
    side = Standing(files=CASES, folders=("/c",), named={"s/x": ("/c/b/p.yaml",)}, gone=frozenset(["/c/a/gone.yaml"]))
    assert side.places(run()) == ("/c/b/p.yaml",)
    assert side.places(run("s/new")) == ("/c/a/p.yaml",)  # a case that the suite had not: as it says now
    assert side.places(run("other/x")) == ("/c/a/p.yaml", "/c/a/gone.yaml")
    assert side.places(run("other/x", suite="/c/b/s.yaml")) == ("/c/a/p.yaml",)
    assert side.places(run(policies=None)) == tuple(CASES)
