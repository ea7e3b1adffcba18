"""The file of `--contracts`: a mapping like a suite's `contracts:`."""

from __future__ import annotations

from pathlib import Path

from ...errors import AgentOpsError, CaseFileError
from ...schema.transcript import kind
from ...schema.values import JsonObject


def read_contracts(path: Path) -> dict[str, JsonObject]:
    """Tool to contract fields; a file that has them below one key `contracts` is taken too. Raises `AgentOpsError`."""
    from ...schema.document import read

    try:
        document = read(path.read_text(encoding="utf-8"), file=path.as_posix())
    except (OSError, UnicodeDecodeError) as problem:
        raise AgentOpsError(f"{path.as_posix()}: the contracts cannot be read: {problem}") from None
    value = document.value
    base: tuple[str, ...] = ()
    if isinstance(value, dict) and list(value) == ["contracts"]:
        value, base = value["contracts"], ("contracts",)
    if not isinstance(value, dict):
        raise CaseFileError([document.mistake(base, f"found {kind(value)}", "expected a mapping of tools to contract fields")])
    wanted = "expected contract fields, such as {effect: read}"
    odd = [name for name, fields in value.items() if not isinstance(fields, dict)]
    if odd:
        raise CaseFileError([document.mistake((*base, n), f"{n}: found {kind(value[n])}", wanted) for n in odd])
    return value
