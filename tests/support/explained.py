"""Policies of format policy/2 with a rationale for all that needs one, made of other texts."""

import json
import re
from typing import Any

_LINE = re.compile(r"rationale: ([^\n{}>|]+)")
_FOLDED = re.compile(r"rationale: >-\n( +)(.+(?:\n\1.+)*)")
_FLOW = re.compile(r"(\{signal: (?:(?!rationale)[^{}\n])*)\}")


def explained(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document under policy/2; what has no rationale gets one."""
    document = json.loads(json.dumps(document)) | {"format": "policy/2"}
    document["rationale"] = document.get("rationale") or "for tests"
    for signal in document["scoring"]["signals"]:
        said = signal.get("rationale") or "x"
        if isinstance(said, str):
            signal["rationale"] = {"weight": said, "thresholds": said}
    for rule in document.get("decision", {}).get("rules", []):
        rule["rationale"] = rule.get("rationale") or "x"
    return document


def explained_text(text: str) -> str:
    """Return a text, JSON or YAML, under policy/2 with two rationales a signal; no line moves."""
    if text.startswith("{"):
        return json.dumps(explained(json.loads(text)))
    head, signals, rest = text.replace("policy/1", "policy/2").partition("signals:")
    signals += rest[: rest.find("\ndecision:")] if "\ndecision:" in rest else rest
    rest = rest[len(signals) - len("signals:") :]
    signals = _FOLDED.sub(r"rationale: {weight: x,\n\1thresholds: \2}", signals)
    signals = _LINE.sub(r"rationale: {weight: \1, thresholds: \1}", signals)
    signals = _FLOW.sub(r"\1, rationale: {weight: x, thresholds: x}}", signals)
    return head + signals + rest
