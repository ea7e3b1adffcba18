"""What kind of file a YAML file under a case folder is."""

from __future__ import annotations

from typing import Literal, TypeAlias

from ..errors import CaseFileError
from ..schema.document import Document

Kind: TypeAlias = Literal["suite", "policy"]


class IsPolicyFile(CaseFileError):
    """A policy file stands where a suite is wanted."""


def kind_of(document: Document) -> Kind | None:
    """A suite has `cases` at the top, a policy file `policy` or `policies`; None for anything else."""
    value = document.value
    if not isinstance(value, dict):
        return None
    if "cases" in value:
        return "suite"
    return "policy" if "policy" in value or "policies" in value else None
