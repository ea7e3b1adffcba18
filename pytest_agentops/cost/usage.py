"""What a model's answer says it used: tokens, the provider's own figure for the cost, the model that answered.

Read from bytes as they came over the wire, whatever SDK sent the request: chat and text completions, Responses, embeddings
(OpenAI and all who copy it), Anthropic, Gemini, Bedrock; one JSON body, or a stream of events. Only what a provider says in
these words counts: what is missing, cut off or out of shape is unknown (None), never 0.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeAlias
from urllib.parse import unquote

from ..schema.run import Usage

Doc: TypeAlias = Mapping[str, Any]

_MODEL_IN_PATH = (
    re.compile(r"/models/([^/:]+):(?:stream)?[gG]enerateContent$"),  # Gemini, Vertex
    re.compile(r"/models/([^/:]+):(?:batchEmbedContents|embedContent)$"),
    re.compile(r"/model/([^/]+)/(?:converse|invoke)(?:-stream|-with-response-stream)?$"),  # Bedrock
    re.compile(r"/deployments/([^/]+)/"),  # Azure
)
_FREE = ("/moderations", "/count_tokens", "/tokenize", "/detokenize", "/input_tokens")
"""Requests that name a model and cost nothing."""
_NO_STEP = ("/embeddings", ":embedContent", ":batchEmbedContents", "/rerank")
"""Requests whose answer is no word of a model."""

_KNOWN_ITEMS = (
    "web_search_call",
    "file_search_call",
    "code_interpreter_call",
    "function_call",
    "custom_tool_call",
    "computer_call",
    "local_shell_call",
    "apply_patch_call",
    "mcp_call",
)
"""Calls in the output of the Responses API that have a price in the table, or are paid with their tokens alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer of a model, as far as it says so itself."""

    model: str | None
    """Who answered; where the answer names nobody, who was asked."""
    asked: str | None = None
    """The model that the request named."""
    usage: Usage | None = None
    """None: unknown."""
    stated_cost: Decimal | None = None
    """US dollars, where the provider states them."""
    billed: bool = True
    """Whether the provider charges for it: a refused request costs nothing."""
    step: bool = True
    """Whether it is an answer in the sense of `steps`; an embedding is none."""
    tier: str | None = None
    """The provider's service tier, where it says one."""
    extras: Mapping[str, int] = field(default_factory=dict)
    """What is billed apart from plain tokens, by genai-prices' names: ``web_searches``, ``input_audio_tokens``."""


def read_answer(*, path: str, request: bytes, status: int, content_type: str, body: bytes) -> Answer | None:
    """What an answer used and cost; None where the request was none to a model, or one that is free by its nature."""
    if not request or path.endswith(_FREE) or 300 <= status < 400:
        return None
    asked = _asked(path, request)
    docs = list(_documents(content_type, body))
    found = _usage_of(docs)
    if asked is None and found is None:
        return None
    answered = next((m for doc in docs if (m := _model_of(doc)) is not None), None)
    known = _Read({} if found is None or _is_cut_off(docs, body) else found)
    try:
        usage, extras = known.usage(has_output=not path.endswith(_NO_STEP)), known.extras(docs)
    except _Unknown:
        usage, extras = None, {}
    return Answer(
        model=answered or asked,
        asked=asked,
        usage=usage if status < 400 else None,
        stated_cost=known.stated_cost() if status < 400 else None,
        billed=status < 400,
        step=not path.endswith(_NO_STEP),
        tier=known.tier(docs),
        extras=extras,
    )


# ---- who was asked, who answered


def _asked(path: str, request: bytes) -> str | None:
    body = _json(request)
    if isinstance(body, dict) and isinstance(body.get("model"), str):
        return str(body["model"])
    for pattern in _MODEL_IN_PATH:
        if found := pattern.search(path):
            return unquote(found[1])
    form = re.search(rb'name="model"\r\n(?:[^\r\n]+\r\n)*\r\n([^\r\n]+)\r\n', request)  # audio comes as a form
    return form[1].decode(errors="replace") if form else None


def _model_of(doc: Doc) -> str | None:
    for holder in (doc, doc.get("message"), doc.get("response")):
        if isinstance(holder, dict):
            name = holder.get("model") or holder.get("modelVersion")
            if isinstance(name, str) and name:
                return name
    return None


# ---- the documents of an answer


def _json(text: bytes | str) -> Any:
    """The JSON value with exact decimals; None where it is none."""
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        return None


def _documents(content_type: str, body: bytes) -> Iterator[Doc]:
    """The JSON objects of an answer: one, the items of a list, or the data of its events."""
    if "event-stream" in content_type or body.lstrip()[:6] in (b"data: ", b"event:"):
        values = _events(body)
    else:
        whole = _json(body)
        values = iter(
            whole if isinstance(whole, list) else [whole]
        )  # Gemini streams a JSON list where it is not asked for events
    yield from (value for value in values if isinstance(value, dict))


def _events(body: bytes) -> Iterator[Any]:
    """The data of server-sent events; an event that the end cut off is left out."""
    data: list[str] = []
    *lines, _ = re.split(r"\r\n|\n|\r", body.decode("utf-8", errors="replace"))
    for line in lines:
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line and data:
            yield _json("\n".join(data))
            data = []


# ---- the numbers


def _usage_of(docs: list[Doc]) -> dict[str, Any] | None:
    """The usage of an answer: the last that its documents state; Anthropic's is told in two parts."""
    found: dict[str, Any] | None = None
    open_message = False
    for doc in docs:
        kind = doc.get("type")
        part = _part(doc)
        if kind == "message_start":
            open_message = True
            found = dict(part or {})
        elif kind == "message_delta" and part is not None:
            open_message = False
            found = {**(found or {}), **{k: v for k, v in part.items() if v is not None}}
        elif part is not None:
            found = dict(part)
    return {} if open_message else found  # the first part counts no output: a stream that ends there is unknown


def _is_cut_off(docs: list[Doc], body: bytes) -> bool:
    """Whether a stream ended before its answer did: the totals that some repeat in every part are not the last then."""
    parts = [part for doc in docs for part in _parts(doc)]
    if not parts or body.lstrip().startswith(b"{") or b"[DONE]" in body[-16:]:
        return False
    return not any(part.get("finish_reason") or part.get("finishReason") for part in parts)


def _parts(doc: Doc) -> Iterator[Doc]:
    """What a document has of a chat's choices, or of Gemini's candidates."""
    for parts in (doc.get("choices"), doc.get("candidates")):
        yield from (part for part in (parts if isinstance(parts, list) else ()) if isinstance(part, dict))


def _part(doc: Doc) -> dict[str, Any] | None:
    holders = (doc, doc.get("response"), doc.get("message"), doc.get("x_groq"))
    for holder in holders:
        if isinstance(holder, dict):
            usage = holder.get("usage") or holder.get("usageMetadata")
            if isinstance(usage, dict) and usage:
                return usage
    return None


class _Read:
    """One usage object, whosever it is."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.raw = raw

    def usage(self, *, has_output: bool) -> Usage:
        """The tokens; `_Unknown` if a number that must be there is not, or is no count, or they contradict each other."""
        if "prompt_tokens" in self.raw:
            found = self._chat(has_output)
        elif "promptTokenCount" in self.raw or "totalTokenCount" in self.raw:
            found = self._gemini()
        elif "inputTokens" in self.raw:
            found = self._bedrock()
        else:
            found = self._messages() if self._cached_apart() else self._responses()
        if not found.is_possible:
            raise _Unknown
        return found

    def _chat(self, has_output: bool) -> Usage:
        prompt = self._count("prompt_tokens")
        total = self._count("total_tokens", missing=0)
        # where only the total is told the rest of it is the answer; embeddings have none, and some servers tell no total of them
        rest = None if total < prompt and has_output else max(0, total - prompt)
        answer = self._count("completion_tokens", missing=rest)
        # xAI and Gemini leave their reasoning out of the completion, and bill it: the total has it
        output = max(answer, total - prompt)
        reasoning = self._count("completion_tokens_details", "reasoning_tokens", missing=output - answer)
        hits = self._count("prompt_cache_hit_tokens", missing=0)  # DeepSeek
        return Usage(
            input=prompt,
            output=output,
            cached=self._count("prompt_tokens_details", "cached_tokens", missing=hits),
            cache_write=self._count("prompt_tokens_details", "cache_write_tokens", missing=0),
            reasoning=reasoning,
        )

    def _responses(self) -> Usage:
        return Usage(
            input=self._count("input_tokens"),
            output=self._count("output_tokens"),
            cached=self._count("input_tokens_details", "cached_tokens", missing=0),
            cache_write=self._count("input_tokens_details", "cache_write_tokens", missing=0),
            reasoning=self._count("output_tokens_details", "reasoning_tokens", missing=0),
        )

    def _cached_apart(self) -> bool:
        return "cache_read_input_tokens" in self.raw or "cache_creation_input_tokens" in self.raw

    def _messages(self) -> Usage:
        read = self._count("cache_read_input_tokens", missing=0)
        written = self._count("cache_creation_input_tokens", missing=0)
        return Usage(
            input=self._count("input_tokens") + read + written,
            output=self._count("output_tokens"),
            cached=read,
            cache_write=written,
        )

    def _gemini(self) -> Usage:
        thoughts = self._count("thoughtsTokenCount", missing=0)
        return Usage(
            input=self._count("promptTokenCount") + self._count("toolUsePromptTokenCount", missing=0),
            output=self._count("candidatesTokenCount", missing=0) + thoughts,
            cached=self._count("cachedContentTokenCount", missing=0),
            reasoning=thoughts,
        )

    def _bedrock(self) -> Usage:
        read = self._count("cacheReadInputTokens", missing=0)
        written = self._count("cacheWriteInputTokens", missing=0)
        return Usage(
            input=self._count("inputTokens") + read + written,
            output=self._count("outputTokens"),
            cached=read,
            cache_write=written,
        )

    def _count(self, *keys: str, missing: int | None = None) -> int:
        """A count at a place; `missing` stands for one that is absent or null."""
        value: Any = self.raw
        for key in keys:
            if not isinstance(value, Mapping):
                raise _Unknown
            value = value.get(key)
            if value is None and missing is not None:
                return missing
        return _counted(value)

    def stated_cost(self) -> Decimal | None:
        """Dollars as OpenRouter and Perplexity state them."""
        cost = self.raw.get("cost")
        if isinstance(cost, dict):
            cost = cost.get("total_cost")
        own = _money(cost)
        if own is None or self.raw.get("is_byok") is not True:
            return own
        # with a key of one's own, OpenRouter's figure is its fee; the provider's bill stands beside it
        details = self.raw.get("cost_details")
        bill = _money(details.get("upstream_inference_cost") if isinstance(details, dict) else None)
        return None if bill is None else own + bill

    def tier(self, docs: list[Doc]) -> str | None:
        """The service tier that served the request, if one is named."""
        holders = [self.raw, *(holder for doc in docs for holder in (doc, doc.get("response")) if isinstance(holder, dict))]
        named = [holder["service_tier"] for holder in holders if isinstance(holder.get("service_tier"), str)]
        return named[-1] if named else None

    def extras(self, docs: list[Doc]) -> dict[str, int]:
        """What has a price of its own: hour-long caches, sound, the provider's own tools."""
        items = _items(docs)
        found = {
            "cache_write_1h_tokens": self._count("cache_creation", "ephemeral_1h_input_tokens", missing=0),
            "web_searches": self._count("server_tool_use", "web_search_requests", missing=0) + items["web_search_call"],
            "storage_searches": items["file_search_call"],
            "code_executions": items["code_interpreter_call"],
            "input_audio_tokens": self._detail("prompt", "audio") + self._of_kind("prompt", "AUDIO"),
            "output_audio_tokens": self._detail("completion", "audio") + self._of_kind("candidates", "AUDIO"),
            "output_image_tokens": self._of_kind("candidates", "IMAGE"),
            "grounded_answers": sum(_is_grounded(doc) for doc in docs),
            "tools_without_a_price": sum(number for kind, number in items.items() if kind not in _KNOWN_ITEMS),
        }
        return {name: count for name, count in found.items() if count}

    def _detail(self, part: str, kind: str) -> int:
        """A chat's tokens of one kind."""
        return self._count(f"{part}_tokens_details", f"{kind}_tokens", missing=0)

    def _of_kind(self, part: str, modality: str) -> int:
        """Gemini's tokens of one kind."""
        rows = self.raw.get(f"{part}TokensDetails") or []
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise _Unknown
        return sum(_counted(row.get("tokenCount", 0)) for row in rows if row.get("modality") == modality)


class _Unknown(Exception):
    """A number that is not there, or is none."""


def _counted(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _Unknown
    return value


def _items(docs: list[Doc]) -> Counter[str]:
    """The calls in the final output of the Responses API, by kind."""
    for doc in reversed(docs):
        response = doc.get("response") if isinstance(doc.get("response"), dict) else doc
        output = response.get("output") if isinstance(response, dict) else None
        if isinstance(output, list):
            kinds = [str(item.get("type")) for item in output if isinstance(item, dict)]
            return Counter(kind for kind in kinds if kind.endswith("_call"))
    return Counter()


def _is_grounded(doc: Doc) -> bool:
    """Whether Gemini searched the web for an answer; what that costs depends on more than the answer tells."""
    candidates = doc.get("candidates")
    return isinstance(candidates, list) and any(isinstance(c, dict) and c.get("groundingMetadata") for c in candidates)


def _money(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        return None
    amount = Decimal(value)
    return amount if amount.is_finite() and amount >= 0 else None
