"""Offline proofs (C2SP tlog-proof): one text file that shows an entry in a witnessed log.

The file holds the leaf's index, the inclusion proof and the checkpoint with all its signatures.
The leaf itself is left out: the verifier brings it along, and the keys or the policy too.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ledger.chain.checkpoint import CheckpointBody, OpenedCheckpoint, open_checkpoint
from ledger.chain.keys import VerifierKey, decode_base64, encode_base64
from ledger.chain.link import DIGEST_BYTES
from ledger.chain.merkle import SIZE_MAX, check_inclusion
from ledger.chain.policy import PolicyVerdict, WitnessPolicy

HASHES_MAX: Final = 63

_HEADER: Final = "c2sp.org/tlog-proof@v1"
_EXTRA: Final = "extra "
_INDEX: Final = re.compile(r"index (0|[1-9][0-9]{0,18})", re.ASCII)


class ProofTextError(ValueError):
    """Text that is no offline proof; it says why."""


@dataclass(frozen=True, slots=True)
class ProofText:
    """A parsed proof; nothing about it is verified."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: str
    """The checkpoint's note, verbatim."""
    extra: bytes | None = None
    """Text that the writer added. No signature covers it."""


def encode(
    index: int, hashes: Sequence[bytes], checkpoint_note: bytes, extra: bytes | None = None
) -> str:
    """Return the text of a proof that leaf `index` is in the tree of a checkpoint."""
    assert 0 <= index <= SIZE_MAX
    assert len(hashes) <= HASHES_MAX
    lines = [
        _HEADER,
        *([] if extra is None else [_EXTRA + encode_base64(extra)]),
        f"index {index}",
        *map(encode_base64, hashes),
        "",
        checkpoint_note.decode(),
    ]
    return "\n".join(lines)


def parse(text: str) -> ProofText:
    """Return the parts of a proof; ProofTextError unless it keeps every rule of the format."""
    head, gap, note = text.partition("\n\n")
    header, *lines = head.split("\n")
    if header != _HEADER or not gap or not note.endswith("\n"):
        raise ProofTextError(f"a proof is {_HEADER}, its lines, an empty line and a checkpoint")
    extra = (
        _decode(lines.pop(0).removeprefix(_EXTRA))
        if lines and lines[0].startswith(_EXTRA)
        else None
    )
    index = _INDEX.fullmatch(lines.pop(0)) if lines else None
    if index is None or int(index[1]) > SIZE_MAX:
        raise ProofTextError("a proof names its index in decimal, without sign or leading zeros")
    if len(lines) > HASHES_MAX:
        raise ProofTextError(f"a proof has at most {HASHES_MAX} hashes")
    hashes = tuple(map(_decode, lines))
    if any(len(hash_) != DIGEST_BYTES for hash_ in hashes):
        raise ProofTextError("a hash is not 32 bytes long")
    return ProofText(int(index[1]), hashes, note, extra)


def check(
    proof: ProofText, *, leaf: bytes, origin: str, keys: Sequence[VerifierKey]
) -> OpenedCheckpoint:
    """Return the verified checkpoint that has the leaf hash; NoteError or ProofError otherwise."""
    opened = open_checkpoint(proof.checkpoint.encode(), origin=origin, keys=keys)
    _check_leaf(proof, leaf, opened.checkpoint)
    return opened


def check_by_policy(proof: ProofText, *, leaf: bytes, policy: WitnessPolicy) -> PolicyVerdict:
    """Return the verdict on the checkpoint that has the leaf hash, under a policy's quorum.

    Raises NoteError if the policy does not accept the checkpoint, ProofError if the leaf is not in
    its tree.
    """
    verdict = policy.check(proof.checkpoint.encode())
    _check_leaf(proof, leaf, verdict.checkpoint)
    return verdict


def _check_leaf(proof: ProofText, leaf: bytes, checkpoint: CheckpointBody) -> None:
    """Refuse a leaf that the proof does not show under a verified checkpoint."""
    check_inclusion(
        index=proof.index,
        size=checkpoint.size,
        leaf=leaf,
        root=checkpoint.root,
        proof=proof.hashes,
    )


def _decode(text: str) -> bytes:
    """Return the bytes of a line."""
    try:
        return decode_base64(text)
    except ValueError as error:
        raise ProofTextError(f"a line is {error}") from error
