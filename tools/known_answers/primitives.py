"""Trees, keys and notes from their specifications, in the shortest way and with no regard to speed.

RFC 6962 section 2.1 for trees, C2SP signed-note, tlog-checkpoint and tlog-cosignature for the rest.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

Case = dict[str, Any]
LOG, ECDSA, COSIGNER = 0x01, 0x02, 0x04


def b64(data: bytes) -> str:
    """Return bytes as base64."""
    return base64.b64encode(data).decode()


def b64s(items: Sequence[bytes]) -> list[str]:
    """Return several byte strings as base64."""
    return [b64(item) for item in items]


def sha(*parts: bytes) -> bytes:
    """Return the SHA-256 of the parts, one after another."""
    return hashlib.sha256(b"".join(parts)).digest()


def flip(data: bytes, at: int = 0) -> bytes:
    """Return bytes with one bit of one of them flipped."""
    at %= len(data)
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


# ---- trees ---------------------------------------------------------------------------------------


def leaf(data: bytes) -> bytes:
    """Return the hash of a leaf."""
    return sha(b"\x00", data)


def node(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node."""
    return sha(b"\x01", left, right)


def split(size: int) -> int:
    """Return the largest power of two below a size."""
    return 1 << (size - 1).bit_length() - 1


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over hashes of leaves: MTH of the RFC."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha()
    at = split(len(leaves))
    return node(root(leaves[:at]), root(leaves[at:]))


def inclusion(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Return the path of a leaf: PATH of the RFC."""
    if len(leaves) == 1:
        return []
    at = split(len(leaves))
    if index < at:
        return [*inclusion(index, leaves[:at]), root(leaves[at:])]
    return [*inclusion(index - at, leaves[at:]), root(leaves[:at])]


def consistency(old: int, leaves: Sequence[bytes], *, is_whole: bool = True) -> list[bytes]:
    """Return the proof between two sizes: PROOF and SUBPROOF of the RFC."""
    if old == len(leaves):
        return [] if is_whole else [root(leaves)]
    at = split(len(leaves))
    if old <= at:
        return [*consistency(old, leaves[:at], is_whole=is_whole), root(leaves[at:])]
    return [*consistency(old - at, leaves[at:], is_whole=False), root(leaves[:at])]


# ---- keys and notes ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Key:
    """An Ed25519 key that signs notes (type 1) or cosigns checkpoints (type 4)."""

    name: str
    seed: bytes
    type: int = LOG

    @property
    def public(self) -> bytes:
        """The public half."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()

    @property
    def id(self) -> bytes:
        """The four bytes that lines name the key by."""
        return sha(self.name.encode(), b"\n", bytes([self.type]), self.public)[:4]

    @property
    def vkey(self) -> str:
        """The public half as text."""
        return f"{self.name}+{self.id.hex()}+{b64(bytes([self.type]) + self.public)}"

    @property
    def skey(self) -> str:
        """The secret half as text."""
        return f"PRIVATE+KEY+{self.name}+{self.id.hex()}+{b64(bytes([self.type]) + self.seed)}"

    @property
    def pair(self) -> list[str]:
        """The name and id, as the cases list them."""
        return [self.name, self.id.hex()]

    def raw(self, message: bytes) -> bytes:
        """Return the signature of a message, as it is."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(message)

    def line(self, text: str, seconds: int = 0) -> str:
        """Return a signature line over a text; a cosigner's says when."""
        if self.type == LOG:
            return line(self.name, self.id + self.raw(text.encode()))
        message = f"cosignature/v1\ntime {seconds}\n{text}"
        return line(self.name, self.id + seconds.to_bytes(8, "big") + self.raw(message.encode()))


@dataclass(frozen=True)
class EcdsaKey:
    """A P-256 key over notes (type 2) or over RFC 6962 tree heads (type 5)."""

    name: str
    secret: int
    type: int = ECDSA

    @property
    def _key(self) -> ec.EllipticCurvePrivateKey:
        return ec.derive_private_key(self.secret, ec.SECP256R1())

    @property
    def public(self) -> bytes:
        """The public half, as X.509 writes it."""
        return self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def id(self) -> bytes:
        """The four bytes that lines name the key by."""
        if self.type == ECDSA:
            return sha(self.public)[:4]
        return sha(self.name.encode(), b"\n", bytes([self.type]), sha(self.public))[:4]

    @property
    def vkey(self) -> str:
        """The public half as text."""
        return f"{self.name}+{self.id.hex()}+{b64(bytes([self.type]) + self.public)}"

    @property
    def pair(self) -> list[str]:
        """The name and id, as the cases list them."""
        return [self.name, self.id.hex()]

    def _sign(self, message: bytes) -> bytes:
        return self._key.sign(message, ec.ECDSA(SHA256(), deterministic_signing=True))

    def line(self, text: str, millis: int = 0) -> str:
        """Return a signature line over a checkpoint's text."""
        if self.type == ECDSA:
            return line(self.name, self.id + self._sign(text.encode()))
        _, size, root64 = text.splitlines()
        stamp = millis.to_bytes(8, "big")
        head = b"\x00\x01" + stamp + int(size).to_bytes(8, "big") + base64.b64decode(root64)
        signature = self._sign(head)
        blob = stamp + b"\x04\x03" + len(signature).to_bytes(2, "big") + signature
        return line(self.name, self.id + blob)


def line(name: str, blob: bytes) -> str:
    """Return a signature line."""
    return f"\u2014 {name} {b64(blob)}\n"


def note(text: str, *lines: str) -> str:
    """Return a signed note."""
    return f"{text}\n{''.join(lines)}"


def checkpoint(origin: str, leaves: Sequence[bytes]) -> str:
    """Return the text of a checkpoint."""
    return f"{origin}\n{len(leaves)}\n{b64(root(leaves))}\n"


ORIGIN = "log.example.com/own"
ORIGIN_KEY = Key(ORIGIN, bytes(range(32)))
OTHER_KEY = Key("other.example.com", bytes(range(1, 33)))
WITNESSES = [Key(f"w{n}.example.com", bytes([n]) * 32, COSIGNER) for n in (1, 2, 3)]
NOW = 1_790_000_000


def entries(count: int) -> list[bytes]:
    """Return the data of that many leaves, each of another length."""
    return [(f"entry {n} " + "." * (n % 7)).encode() for n in range(count)]


def hashes(count: int) -> list[bytes]:
    """Return the hashes of those leaves."""
    return [leaf(data) for data in entries(count)]
