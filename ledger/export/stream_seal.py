"""The seal of a stream bundle: proof that no event of the stream up to it was held back."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ledger.chain.checkpoint import CheckpointBody
from ledger.chain.link import GENESIS, ChainVerifier, Digest, Link
from ledger.chain.merkle import ProofError, check_inclusion, leaf_hash
from ledger.errors import LedgerError
from ledger.events.canonical import CanonicalError, decode, encode
from ledger.events.proving import StreamsSealed
from ledger.events.values import HASH_HEX
from ledger.export.faults import BundleError
from ledger.export.files import SEAL
from ledger.export.lines import LineError, parse_line
from ledger.export.sealing import SealError, SealStatement, seal_of

_KEYS: Final = frozenset({"event", "inclusion", "record", "record_inclusion", "record_index"})


def seal_json(
    *,
    event_line: bytes,
    inclusion: Sequence[str],
    record: bytes,
    record_inclusion: Sequence[str],
    record_index: int,
) -> bytes:
    """Return `seal.json`; the event as its line of `events.jsonl`, the record as it was hashed."""
    return encode(
        {
            "event": decode(event_line.removesuffix(b"\n")),
            "inclusion": list(inclusion),
            "record": decode(record),
            "record_inclusion": list(record_inclusion),
            "record_index": record_index,
        }
    )


def check_seal(data: bytes, stated: CheckpointBody, last: Link) -> None:
    """Raise BundleError unless the seal fixes the stream's last event, and the tree the seal."""
    try:
        value = decode(data)
    except CanonicalError as error:
        raise _fault(str(error)) from error
    if type(value) is not dict or value.keys() != _KEYS:
        raise _fault(f"it does not have exactly the keys {', '.join(sorted(_KEYS))}")
    seal = _sealed(value, stated)
    record = {
        "event_hash": last.event_hash.hex(),
        "stream": last.stream,
        "stream_version": last.stream_version,
    }
    if value["record"] != record:
        raise _fault("its record is not of the last event of the bundle")
    if last.position > seal.as_of:
        raise _fault(f"it is as of position {seal.as_of}, before the last event of the bundle")
    _included(
        value["record_index"],
        seal.streams,
        leaf_hash(encode(record)),
        bytes.fromhex(seal.root),
        value["record_inclusion"],
    )


def _sealed(value: Mapping[str, Any], stated: CheckpointBody) -> SealStatement:
    """Return what the seal's event states, which must be in the tree of the checkpoint."""
    try:
        link = parse_line(encode(value["event"]) + b"\n", stated.origin)
        ChainVerifier(
            origin=stated.origin,
            head=GENESIS if link.position == 1 else Digest(link.prev_hash),
            start_position=link.position,
        ).feed(link)
        if link.type != StreamsSealed.TYPE or link.body is None:
            raise _fault("its event is no seal")
        seal = seal_of(link.position, link.body)
    except (LineError, SealError) as error:
        raise _fault(str(error)) from error
    except LedgerError as error:
        raise _fault(error.message) from error
    if HASH_HEX.fullmatch(seal.root) is None:
        raise _fault("its root is no hash")
    _included(link.position - 1, stated.size, link.event_hash, stated.root, value["inclusion"])
    return seal


def _included(index: object, size: int, leaf: bytes, root: bytes, proof: object) -> None:
    is_list = type(proof) is list and all(
        type(one) is str and HASH_HEX.fullmatch(one) for one in proof
    )
    if type(index) is not int or not isinstance(proof, list) or not is_list:
        raise _fault("an inclusion proof is a list of hashes, its index a number")
    try:
        hashes = [bytes.fromhex(one) for one in proof]
        check_inclusion(index=index, size=size, leaf=leaf, root=root, proof=hashes)
    except ProofError as error:
        raise _fault(str(error)) from error


def _fault(why: str) -> BundleError:
    return BundleError(SEAL, 0, why)
