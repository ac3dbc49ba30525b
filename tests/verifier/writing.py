"""Writes a chained ledger as an export bundle, and manifests again after an edit."""

import hashlib
import importlib.util
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from tests.support.chained import Chained, Signer, canonical, inclusion, line_of, log_key

ROOT: Final = Path(__file__).resolve().parents[2]
TOOL: Final = ROOT / "tools" / "verify_bundle.py"
Key = dict[str, Any]


def load_tool() -> ModuleType:
    """Return the verifier as a module; it is a file of its own and part of no package."""
    if (loaded := sys.modules.get("verify_bundle")) is not None:
        return loaded
    spec = importlib.util.spec_from_file_location("verify_bundle", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["verify_bundle"] = module
    spec.loader.exec_module(module)
    return module


def first_key() -> list[Key]:
    return [{"from_position": 1, "until_position": None, "vkey": log_key(1).vkey}]


def write_bundle(
    folder: Path,
    ledger: Chained,
    *,
    span: tuple[int, int] | None = None,
    stream: str | None = None,
    seal: int | None = None,
    withheld: Mapping[int, str] | None = None,
    keys: Sequence[Key] | None = None,
    signers: Sequence[Signer] | None = None,
    size: int | None = None,
) -> Path:
    """Write a full bundle, one of a span of positions, or one of a stream up to a seal."""
    size = len(ledger.events) if size is None else size
    chosen = list(range(1, size + 1))
    kind = "full"
    if span is not None:
        kind, chosen = "range", list(range(span[0], span[1] + 1))
    if stream is not None:
        assert seal is not None
        kind, as_of = "stream", ledger.events[seal - 1]["body"]["data"]["as_of"]
        chosen = [
            p for p in range(1, as_of + 1) if ledger.events[p - 1]["header"]["stream"] == stream
        ]
    withheld = withheld or {}
    events = [dict(ledger.events[position - 1]) for position in chosen]
    for event in events:
        if event["header"]["position"] in withheld:
            event |= {"body": None, "salt": None}
    data = folder / "data"
    data.mkdir(parents=True)
    (data / "events.jsonl").write_bytes(b"".join(map(line_of, events)))
    (data / "checkpoint").write_bytes(ledger.note(size, signers or [log_key(1)]))
    (data / "keys.json").write_bytes(canonical(first_key() if keys is None else list(keys)))
    scope = {
        "counts": dict(Counter(event["header"]["type"] for event in events)),
        "first_position": chosen[0],
        "format": "decision-ledger/1",
        "kind": kind,
        "last_position": chosen[-1],
        "requested_at": "2026-04-01T00:00:00.000000Z",
        "requested_by": "users/auditor",
        "stream": stream,
        "withheld": [
            {"positions": ranges_of(p for p in withheld if withheld[p] == reason), "reason": reason}
            for reason in sorted(set(withheld.values()))
        ],
    }
    (data / "scope.json").write_bytes(canonical(scope))
    leaves = ledger.leaves(size)
    if kind != "full":
        proofs = [{"inclusion": inclusion(p - 1, leaves), "position": p} for p in chosen]
        (data / "proofs.jsonl").write_bytes(b"".join(map(line_of, proofs)))
    if kind == "stream":
        (data / "seal.json").write_bytes(canonical(ledger.sealed(seal or 0, stream or "", size)))
    (data / "report.html").write_text("<!doctype html><title>For people</title>\n")
    (data / "verify_bundle.py").write_bytes(TOOL.read_bytes())
    return bag(folder)


def ranges_of(positions: Iterable[int]) -> list[list[int]]:
    ranges: list[list[int]] = []
    for position in sorted(positions):
        if ranges and ranges[-1][1] == position - 1:
            ranges[-1][1] = position
        else:
            ranges.append([position, position])
    return ranges


def digest_lines(folder: Path, names: Sequence[str]) -> str:
    digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    return "".join(f"{digests[name]}  {name}\n" for name in sorted(names))


def bag(folder: Path) -> Path:
    """Write tag files and manifests that agree with what lies under data/."""
    payload = [path for path in (folder / "data").rglob("*") if path.is_file()]
    names = [path.relative_to(folder).as_posix() for path in payload]
    (folder / "bagit.txt").write_text("BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n")
    oxum = f"{sum(path.stat().st_size for path in payload)}.{len(payload)}"
    (folder / "bag-info.txt").write_text(f"External-Identifier: x\nPayload-Oxum: {oxum}\n")
    (folder / "manifest-sha256.txt").write_text(digest_lines(folder, names))
    tags = ["bag-info.txt", "bagit.txt", "manifest-sha256.txt"]
    (folder / "tagmanifest-sha256.txt").write_text(digest_lines(folder, tags))
    return folder
