"""Arguments of a call: do they fit, what do they mean, and the call of the real tool with them."""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import Any

from ..errors import LoadError
from ..schema.contract import Answer, Contract
from ..schema.operators import fits
from ..schema.validate import Schema, Violation, compiled
from ..schema.values import Json, JsonObject
from .signature import InvalidArguments, bind
from .tool import Tool

__all__ = ["InvalidArguments", "ainvoke", "canned", "check", "check_result", "invoke", "normalise"]


def check(contract: Contract, args: JsonObject, *, placeholders: bool = True) -> list[Violation]:
    """What does not fit the tool's schema; `placeholders=False` for arguments with their real values back in place."""
    return _parameters(contract).violations(args, placeholders=placeholders)


def check_result(contract: Contract, result: Json) -> list[Violation]:
    """What does not fit the schema of the result, where there is one."""
    returns = _returns(contract)
    return [] if returns is None else returns.violations(result)


def normalise(contract: Contract, args: JsonObject) -> JsonObject:
    """The arguments with the schema's defaults filled in, so that two calls that mean the same are equal."""
    filled: JsonObject = _parameters(contract).fill(args)
    return filled


@lru_cache(maxsize=1024)
def _parameters(contract: Contract) -> Schema:
    return compiled(contract.parameters)


@lru_cache(maxsize=1024)
def _returns(contract: Contract) -> Schema | None:
    return None if contract.returns is None else compiled(contract.returns)


def canned(contract: Contract, args: JsonObject) -> Answer | None:
    """The first of the contract's answers that fits; one without `args` fits every call."""
    for answer in contract.answers or ():
        if answer.args is None or fits(answer.args, args):
            return answer
    return None


def invoke(tool: Tool, args: JsonObject) -> object:
    """Call the tool with JSON arguments as the Python values it asks for; raises `InvalidArguments`, or what the tool raises."""
    value = _call(tool, args)
    if inspect.isawaitable(value):
        if inspect.iscoroutine(value):
            value.close()
        raise LoadError(f"{tool.name} gave something to await", hint="write it as `async def`")
    return value


async def ainvoke(tool: Tool, args: JsonObject) -> object:
    """Like `invoke`, and awaits what an async tool gives."""
    value = _call(tool, args)
    return await value if inspect.isawaitable(value) else value


def _call(tool: Tool, args: JsonObject) -> Any:
    if tool.function is None:
        raise LoadError(f"{tool.name} is declared without code and cannot be called", ref=tool.where)
    if not tool.typed:
        return tool.function(**args)
    positional, keywords = bind(tool.signature, args, name=tool.name)
    return tool.function(*positional, **keywords)
