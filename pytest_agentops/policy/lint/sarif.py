"""Findings as SARIF 2.1.0, which code hosts show beside the lines of a change."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from urllib.parse import quote

from ...schema.values import JsonObject
from .finding import CODES, Finding, Report

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif(report: Report, *, version: str) -> JsonObject:
    """The whole log. What is partial is a notification: no finding there proves nothing."""
    notes = [{"level": "warning", "message": {"text": f"partial: {why}"}} for why in report.partial]
    driver = {
        "name": "pytest-agentops policy lint",
        "version": version,
        "rules": [{"id": code, "shortDescription": {"text": text}} for code, text in CODES.items()],
    }
    run: JsonObject = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": notes}],
        "results": [_result(finding) for finding in report.findings],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(finding: Finding) -> JsonObject:
    m = finding.mistake
    text = "; ".join(part for part in (m.found, m.allowed, finding.cell and f"where {finding.cell}", m.hint) if part)
    return {
        "ruleId": finding.code,
        "ruleIndex": list(CODES).index(finding.code),
        "level": finding.severity,
        "message": {"text": text},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(m.file), "uriBaseId": "%SRCROOT%"},
                    "region": {"startLine": m.line, "startColumn": m.col},
                }
            }
        ],
        "partialFingerprints": {
            "agentops/v1": _fingerprint((finding.code, m.file, finding.rule or finding.policy, m.found, finding.cell))
        },
        "properties": {"cell": finding.cell or None, "cure": m.hint or None},
    }


def _fingerprint(parts: Sequence[str]) -> str:
    """The same finding, also when its line has moved."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
