"""Transcripts of audits, from their page alone."""

import json
from typing import Any

from tools.known_answers.primitives import Case, b64, leaf, root, sha

_OF_THE_SOURCE = ("checkpoints", "keys", "memory", "tiles", "truncation", "witnesses")

EMPTY: dict[str, Any] = {
    "bodies": [],
    "checks": [["chain", 3, 0, 0]],
    "checkpoints": [],
    "findings": [],
    "ledger": "ledger.example.com/empty",
    "root": "11" * 32,
    "rows": {},
    "rules": {"chain": "Every header and body has its hash."},
    "size": 3,
    "source": "server",
    "trust": {
        "given": [],
        "logs": [],
        "signed": 0,
        "trusted": [],
        "witnessed": 0,
        "witnesses": [],
    },
    "unchecked": [],
}
FULL: dict[str, Any] = {
    "bodies": [[4, 7], [9, 9]],
    "checks": [
        ["tiles", 1, 0, 0],
        ["database.head", 1, 1, 0],
        ["replay.score", 2, 1, 1],
        ["chain", 12, 0, 0],
        ["bundle.files", 0, 0, 0],
    ],
    "checkpoints": [
        [8, f"ledger.example.com/full\n8\n{b64(bytes(32))}", "— a AA==", "— b AA=="],
        [12, f"ledger.example.com/full\n12\n{b64(bytes(range(32)))}", "— a AQ=="],
    ],
    "findings": [
        ["replay.score", 10, "it comes out as 2 (expected 1, found 2)"],
        ["database.head", 12, "the stored head is not the event that it names"],
    ],
    "ledger": "ledger.example.com/full",
    "root": "22" * 32,
    "rows": {
        "rows.heads": [[12, {"hex": "00ff"}, 1_700_000_000_000_000, None, {"hex": "0c"}]],
        "rows.requests": [["users/ana", "SubmitSignals", "über", {"hex": ""}, 1, 2, {"hex": "aa"}]],
    },
    "rules": {"chain": "Every header and body has its hash.", "replay.score": "It is the same."},
    "size": 12,
    "source": "database",
    "trust": {
        "given": ["ledger.example.com/full+01020304+AQ"],
        "logs": [],
        "signed": 12,
        "trusted": ["ledger.example.com/full+01020304+AQ"],
        "witnessed": 8,
        "witnesses": ["w1.example.com+05060708+BA"],
    },
    "unchecked": [["replay.score", "the body was erased", 1]],
}


def transcripts() -> dict[str, Any]:
    """Return the file."""
    cases = [_case("own-nothing-but-hashes", EMPTY), _case("own-every-part", FULL)]
    return {"title": "Transcripts of audits: parts, their digests, the root", "cases": cases}


def _case(name: str, audit: dict[str, Any]) -> Case:
    results: dict[bool, list[Any]] = {True: [], False: []}
    for check in sorted(audit["checks"]):
        is_of_it = check[0] in _OF_THE_SOURCE or check[0].startswith(("bundle.", "database."))
        results[is_of_it].append(check)
    values = {
        "bodies": audit["bodies"],
        "events": {name: audit[name] for name in ("ledger", "root", "size")},
        "findings": sorted(audit["findings"]),
        "results": results[False],
        "rules": audit["rules"],
        "source": {"kind": audit["source"], "results": results[True]},
        "trust": audit["trust"],
        "unchecked": sorted(audit["unchecked"]),
    }
    rows = audit["rows"] | {"checkpoints": audit["checkpoints"]}
    parts = {name: sha(_canonical(value)).hex() for name, value in values.items()}
    parts |= {
        name: sha(*(_canonical(row) + b"\n" for row in items)).hex() for name, items in rows.items()
    }
    leaves = [leaf(_canonical({"digest": parts[name], "name": name})) for name in sorted(parts)]
    return {"id": name, "audit": audit, "parts": parts, "transcript": root(leaves).hex()}


def _canonical(value: object) -> bytes:
    """Return the canonical JSON of what is here: no number but small integers, keys in ASCII."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


FILES = {"transcript_v1.json": transcripts}
