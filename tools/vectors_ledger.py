"""Checks the known answers of `ledger_format_v1`: events, checkpoints and the seal.

Uses the product's own code, so that a passing file says something about the product.
"""

from collections.abc import Callable, Iterator
from typing import Any

from ledger.chain.checkpoint import CheckpointBody, open_checkpoint, sign
from ledger.chain.keys import SecretKey, VerifierKey
from ledger.chain.link import ChainVerifier, Digest, Link, body_hash, event_hash, header_bytes
from ledger.chain.merkle import check_inclusion, memory_reader, prove_inclusion, root_of
from ledger.chain.note import NoteError
from ledger.chain.seal import seal_record, seal_root
from ledger.errors import LedgerError
from ledger.events.canonical import CanonicalError, decode, encode

Case = tuple[str, str | None]
FORMAT = "decision-ledger/1"


def check_ledger_format(document: dict[str, Any]) -> Iterator[Case]:
    """Yield each event, checkpoint and seal of the document with what is wrong with it, or None."""
    if document.get("format") != FORMAT:
        yield "format", f"expected {FORMAT!r}, found {document.get('format')!r}"
        return
    verifier = ChainVerifier(origin=document["origin"])
    for number, case in enumerate(document["events"], 1):
        yield f"event {number}", _event_problem(case, verifier)
    leaves = [bytes.fromhex(case["event"]["hash"]) for case in document["events"]]
    for case in document.get("checkpoints", []):
        yield f"checkpoint {case['size']}", _checkpoint_problem(case, document, leaves)
    if "seal" in document:
        yield "seal", _seal_problem(document["seal"], document["events"])


def _compare(what: str, expected: object, computed: object) -> str | None:
    """Return the difference between two values, or None."""
    if expected == computed:
        return None
    return f"{what}: expected {_show(expected)}, computed {_show(computed)}"


def _show(value: object) -> str:
    """Return a value as text, bytes in hex."""
    return value.hex() if isinstance(value, bytes) else repr(value)


def _first(*checks: Callable[[], str | None]) -> str | None:
    """Return the first problem, computing no check after it."""
    return next((problem for check in checks if (problem := check())), None)


def _event_problem(case: dict[str, Any], verifier: ChainVerifier) -> str | None:
    """Check one event's bytes and hashes, and that it continues the chain."""
    event = case["event"]
    header, body = event["header"], bytes.fromhex(case["canonical_body_hex"])
    wanted_header = bytes.fromhex(case["canonical_header_hex"])
    templated = header_bytes(
        **{key: value for key, value in header.items() if key != "type"}, type_=header["type"]
    )
    hash_ = event_hash(wanted_header)
    return _first(
        lambda: _try(lambda: _compare("canonical body", body, encode(event["body"]))),
        lambda: _try(lambda: _compare("body read back", event["body"], decode(body))),
        lambda: _try(lambda: _compare("canonical header", wanted_header, encode(header))),
        lambda: _compare("header template", wanted_header, templated),
        lambda: _compare(
            "body_hash", header["body_hash"], body_hash(bytes.fromhex(event["salt"]), body).hex()
        ),
        lambda: _compare("event hash", event["hash"], hash_.hex()),
        lambda: _try(lambda: verifier.feed(_link(event, body))),
    )


def _try(check: Callable[[], str | None]) -> str | None:
    """Return a check's problem, or what it raised."""
    try:
        return check()
    except (CanonicalError, LedgerError, NoteError) as error:
        return str(error)


def _link(event: dict[str, Any], body: bytes) -> Link:
    """Return an event as the chain sees it."""
    header = event["header"]
    return Link(
        position=header["position"],
        stream=header["stream"],
        stream_version=header["stream_version"],
        type=header["type"],
        recorded_at=header["recorded_at"],
        body=body,
        salt=bytes.fromhex(event["salt"]),
        body_hash=bytes.fromhex(header["body_hash"]),
        prev_hash=bytes.fromhex(header["prev_hash"]),
        event_hash=bytes.fromhex(event["hash"]),
    )


def _checkpoint_problem(
    case: dict[str, Any], document: dict[str, Any], leaves: list[bytes]
) -> str | None:
    """Check one checkpoint: its root, its note by the pinned key, and its inclusion proofs."""
    size, origin = case["size"], document["origin"]
    if not 0 <= size <= len(leaves):
        return f"it covers {size} events, and there are {len(leaves)}"
    root = root_of(leaves[:size])
    return _first(
        lambda: _compare("root", case["root"], root.hex()),
        lambda: _try(lambda: _note_problem(case, document, CheckpointBody(origin, size, root))),
        lambda: _proofs_problem(case, leaves, root),
    )


def _note_problem(
    case: dict[str, Any], document: dict[str, Any], checkpoint: CheckpointBody
) -> str | None:
    """Check that the note opens with the pinned key, and that signing gives the same bytes."""
    key, note = VerifierKey.parse(document["vkey"]), case["note"].encode()
    opened = open_checkpoint(note, origin=document["origin"], keys=[key])
    problem = _compare("checkpoint", opened.checkpoint, checkpoint)
    if problem or "seed_hex" not in document:
        return problem
    signer = SecretKey(document["origin"], bytes.fromhex(document["seed_hex"]))
    return _compare("vkey", document["vkey"], str(signer.verifier_key)) or _compare(
        "note", note, sign(checkpoint, [signer])
    )


def _proofs_problem(case: dict[str, Any], leaves: list[bytes], root: Digest) -> str | None:
    """Check that each inclusion proof is the one we generate, and verifies."""
    size, reader = case["size"], memory_reader(leaves)
    for text, proof_hex in case.get("inclusion", {}).items():
        index = int(text)
        proof = prove_inclusion(index, size, reader)
        problem = _compare(f"inclusion of leaf {index}", proof_hex, [h.hex() for h in proof])
        if problem:
            return problem
        check_inclusion(index=index, size=size, leaf=leaves[index], root=root, proof=proof)
    return None


def _seal_problem(seal: dict[str, Any], events: list[dict[str, Any]]) -> str | None:
    """Check that the seal's records and root are those of the streams as they were at as_of."""
    newest = {case["event"]["header"]["stream"]: case["event"] for case in events[: seal["as_of"]]}
    records = [
        seal_record(
            event_hash=newest[stream]["hash"],
            stream=stream,
            stream_version=newest[stream]["header"]["stream_version"],
        )
        for stream in sorted(newest)
    ]
    return _compare("records", seal["records"], [r.decode() for r in records]) or _compare(
        "root", seal["root"], seal_root(records).hex()
    )
