"""Keys and proofs of other logs, which this project verifies in tests and never signs with.

They stand on the product's own parsers: what is shown is that those read real logs.
"""

import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from ledger.chain.checkpoint import CheckpointBody
from ledger.chain.checkpoint import parse as parse_checkpoint
from ledger.chain.cosignature import CosignerKey
from ledger.chain.keys import KEY_ID_BYTES, VerifierKey, decode_base64
from ledger.chain.link import Digest
from ledger.chain.merkle import check_inclusion, leaf_hash
from ledger.chain.note import MalformedNoteError, NoteError, NoteVerifier

ECDSA_NOTE = 0x02
RFC_6962 = 0x05
SHA256_ECDSA = b"\x04\x03"  # how TLS 1.2 names the algorithm


@dataclass(frozen=True)
class ForeignKey:
    """An ECDSA key over notes (Rekor v1) or over RFC 6962 tree heads (certificate logs)."""

    name: str
    type: int
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        log_id = hashlib.sha256(self.public_key).digest()
        if self.type == ECDSA_NOTE:
            return log_id[:KEY_ID_BYTES]
        material = f"{self.name}\n".encode() + bytes([self.type]) + log_id
        return hashlib.sha256(material).digest()[:KEY_ID_BYTES]

    def verifies(self, text: bytes, signature: bytes) -> bool:
        key = load_der_public_key(self.public_key)
        assert isinstance(key, EllipticCurvePublicKey)
        try:
            if self.type == RFC_6962:
                text, signature = tree_head(parse_checkpoint(text), signature)
            key.verify(signature, text, ECDSA(SHA256()))
        except (InvalidSignature, MalformedNoteError):
            return False
        return True


def tree_head(head: CheckpointBody, blob: bytes) -> tuple[bytes, bytes]:
    """Return the bytes that RFC 6962 signs for a head, and the signature in the blob."""
    millis, algorithm, length, signature = blob[:8], blob[8:10], blob[10:12], blob[12:]
    if algorithm != SHA256_ECDSA or int.from_bytes(length, "big") != len(signature):
        raise MalformedNoteError("no tree head signature")
    return b"\x00\x01" + millis + head.size.to_bytes(8, "big") + head.root, signature


def parse_key(text: str) -> NoteVerifier:
    """Return a key of any type that notes in the vectors are signed with."""
    name, id_text, encoded = text.split("+", 2)
    blob = decode_base64(encoded)
    if blob[0] not in {ECDSA_NOTE, RFC_6962}:
        key = VerifierKey.parse(text)
        return CosignerKey.parse(text) if key.type == blob[0] == 0x04 else key
    foreign = ForeignKey(name, blob[0], blob[1:])
    assert foreign.key_id.hex() == id_text
    return foreign


# ---- Sigsum --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SigsumTrust:
    """Whom a Sigsum verifier trusts, and how many witnesses it wants."""

    log: bytes
    submitter: bytes
    witnesses: tuple[bytes, ...]
    quorum: int


def _fields(block: str) -> dict[str, list[str]]:
    """Return the values of each key of a block of lines `key=value`."""
    fields: dict[str, list[str]] = {}
    for line in block.strip("\n").split("\n"):
        key, _, value = line.partition("=")
        fields.setdefault(key, []).append(value)
    return fields


def _verify(public_key: bytes, signature: str, message: bytes) -> None:
    Ed25519PublicKey.from_public_bytes(public_key).verify(bytes.fromhex(signature), message)


def check_sigsum(proof: str, message: bytes, trust: SigsumTrust) -> None:
    """Raise InvalidSignature, NoteError or ProofError unless a Sigsum proof holds."""
    first, head, path = map(_fields, proof.split("\n\n"))
    checksum = hashlib.sha256(message).digest()
    (submitter_hash, leaf_signature) = first["leaf"][0].split(" ")
    if bytes.fromhex(submitter_hash) != hashlib.sha256(trust.submitter).digest():
        raise NoteError("another submitter")
    _verify(trust.submitter, leaf_signature, b"sigsum.org/v1/tree-leaf\x00" + checksum)
    leaf = checksum + bytes.fromhex(leaf_signature) + bytes.fromhex(submitter_hash)
    origin = f"sigsum.org/v1/tree/{hashlib.sha256(trust.log).hexdigest()}"
    root = Digest(bytes.fromhex(head["root_hash"][0]))
    checkpoint = CheckpointBody(origin, int(head["size"][0]), root)
    _verify(trust.log, head["signature"][0], checkpoint.encode())
    known = {hashlib.sha256(key).hexdigest(): key for key in trust.witnesses}
    met = set()
    for key_hash, seconds, signature in map(str.split, head.get("cosignature", [])):
        if key := known.get(key_hash):
            blob = int(seconds).to_bytes(8, "big") + bytes.fromhex(signature)
            if CosignerKey("sigsum", key).verifies(checkpoint.encode(), blob):
                met.add(key_hash)
    if len(met) < trust.quorum:
        raise NoteError("too few witnesses")
    check_inclusion(
        index=int(path["leaf_index"][0]),
        size=checkpoint.size,
        leaf=leaf_hash(leaf),
        root=root,
        proof=[bytes.fromhex(text) for text in path.get("node_hash", [])],
    )
