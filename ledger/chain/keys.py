"""Keys as signed notes name them (C2SP signed-note), their text forms, and its base64.

A verifier key is public and is what an auditor pins. A signing key is secret: keeping it and
drawing its seed at random are left to the caller; here it is only held and used.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import ClassVar, Final, Self, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from ledger.chain import mldsa

# The type byte says what a signature is over, so that one purpose cannot replace another.
ED25519: Final = 0x01  # over the text of a note
COSIGNATURE: Final = 0x04  # Ed25519 over a time and the text of a checkpoint
MLDSA_COSIGNATURE: Final = 0x06  # ML-DSA-44 over a cosigner's name, a time and a tree
_OTHER_PURPOSES: Final = (0x02, 0x05)  # ECDSA over a note's text, and over a tree head of RFC 6962

KEY_BYTES: Final = 32
KEY_ID_BYTES: Final = 4
SIGNATURE_BYTES: Final = 64

_PRIVATE_PREFIX: Final = "PRIVATE+KEY+"
_KEY_ID: Final = re.compile("[0-9a-f]{8}")

_Point: TypeAlias = tuple[int, int, int, int]  # extended homogeneous coordinates

_PRIME: Final = 2**255 - 19
_ORDER: Final = 2**252 + 27742317777372353535851937790883648493
_D: Final = -121665 * pow(121666, -1, _PRIME) % _PRIME
_ROOT_OF_MINUS_1: Final = pow(2, (_PRIME - 1) // 4, _PRIME)
_SIGN: Final = 1 << 255
_COFACTOR: Final = 8
_KEYS_REMEMBERED: Final = 4_096


class KeyFormatError(ValueError):
    """Text that is no key of ours; it never repeats the text, which may be a secret."""


def encode_base64(data: bytes) -> str:
    """Return standard base64 with padding."""
    return base64.b64encode(data).decode("ascii")


def decode_base64(text: str) -> bytes:
    """Return the bytes; ValueError unless text is exactly what `encode_base64` gives for them.

    The library alone would also take non-zero trailing bits, so that two texts meant one value.
    """
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise ValueError("not base64") from error
    if encode_base64(data) != text:
        raise ValueError("not base64 in its only spelling")
    return data


def key_id(name: str, type_: int, public_key: bytes) -> bytes:
    """Return the four bytes by which a signature line names its key: a label, not security."""
    material = f"{name}\n".encode() + bytes([type_]) + public_key
    return hashlib.sha256(material).digest()[:KEY_ID_BYTES]


def is_key_name(name: str) -> bool:
    """Return whether name may be in a signature line."""
    return bool(name) and not any(c.isspace() or c < " " or c == "+" for c in name)


def is_genuine(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Return whether an Ed25519 signature is the key's; under a key of mixed order none is."""
    if not _is_of_prime_order(public_key):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with its name and purpose."""

    name: str
    type: int
    public_key: bytes
    key_id: bytes = field(init=False)

    def __post_init__(self) -> None:
        """Derive the key id; ValueError if the parts do not make a key."""
        if not is_key_name(self.name):
            raise KeyFormatError("a key name has neither spaces nor '+' and is not empty")
        if self.type not in (ED25519, COSIGNATURE, MLDSA_COSIGNATURE):
            raise KeyFormatError(f"keys of type {self.type:#04x} are not supported")
        is_mldsa = self.type == MLDSA_COSIGNATURE
        if flaw := mldsa.flaw_of(self.public_key) if is_mldsa else _flaw_of(self.public_key):
            raise KeyFormatError(flaw)
        object.__setattr__(self, "key_id", key_id(self.name, self.type, self.public_key))

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """Return the key that `str` wrote: name, key id in hex, base64 of type and key, by '+'."""
        name, id_text, blob = _split(text)
        key = cls(name, blob[0], blob[1:])
        if key.key_id.hex() != id_text:
            raise KeyFormatError("the key id does not belong to this name and key")
        return key

    def __str__(self) -> str:
        """Return the verifier key as one line of text, for people to pin."""
        blob = encode_base64(bytes([self.type]) + self.public_key)
        return f"{self.name}+{self.key_id.hex()}+{blob}"

    def verifies(self, text: bytes, signature: bytes) -> bool:
        """Return whether the signature is this key's over the text of a note.

        Raises ValueError for a cosigner's key: that signs more than the text.
        """
        if self.type != ED25519:
            raise KeyFormatError(f"{self.name} is a cosigner's key; it does not sign notes alone")
        return is_genuine(self.public_key, signature, text)


@dataclass(frozen=True, slots=True)
class UnknownKey:
    """A key of a type that is not verified here."""

    name: str
    type: int
    public_key: bytes


def parse_unknown(text: str) -> UnknownKey | None:
    """Return a key whose type is a witness's elsewhere, or some day; None if it has a meaning here.

    Its id is not judged: another type may derive it in another way.
    """
    name, id_text, blob = _split(text)
    if blob[0] in (ED25519, COSIGNATURE, *_OTHER_PURPOSES):
        return None
    if blob[0] == MLDSA_COSIGNATURE and mldsa.is_there():
        return None
    if not is_key_name(name) or not _KEY_ID.fullmatch(id_text) or len(blob) == 1:
        raise KeyFormatError("a key has a name, an id of 8 hexadecimal digits and some bytes")
    return UnknownKey(name, blob[0], blob[1:])


class NamedSecret:
    """A named Ed25519 secret with one purpose, its TYPE. Its repr shows the public half only."""

    TYPE: ClassVar[int]
    __slots__ = ("_private", "_seed", "verifier_key")

    def __init__(self, name: str, seed: bytes) -> None:
        """Take 32 random bytes as seed; the same seed always makes the same key."""
        if len(seed) != KEY_BYTES:
            raise KeyFormatError(f"the seed is not {KEY_BYTES} bytes long")
        self._seed = seed
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        public = self._private.public_key().public_bytes_raw()
        self.verifier_key = VerifierKey(name, self.TYPE, public)

    @property
    def name(self) -> str:
        """The name that its signature lines carry."""
        return self.verifier_key.name

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the key that `to_secret_text` wrote, or raise KeyFormatError."""
        if not text.startswith(_PRIVATE_PREFIX):
            raise KeyFormatError(f"a signing key starts with {_PRIVATE_PREFIX}")
        name, id_text, blob = _split(text.removeprefix(_PRIVATE_PREFIX))
        if blob[0] != cls.TYPE:
            raise KeyFormatError(f"a signing key of type {blob[0]:#04x} does not serve here")
        key = cls(name, blob[1:])
        if key.verifier_key.key_id.hex() != id_text:
            raise KeyFormatError("the key id does not belong to this name and key")
        return key

    def to_secret_text(self) -> str:
        """Return the whole secret as one line of text, as Go's note package writes it."""
        blob = encode_base64(bytes([self.TYPE]) + self._seed)
        return f"{_PRIVATE_PREFIX}{self.name}+{self.verifier_key.key_id.hex()}+{blob}"

    def __repr__(self) -> str:
        """Return a text that can be logged."""
        return f"{type(self).__name__}({str(self.verifier_key)!r})"


class SecretKey(NamedSecret):
    """A secret that signs notes."""

    TYPE = ED25519
    __slots__ = ()

    def sign(self, text: bytes) -> bytes:
        """Return the signature over the text of a note: the same bytes every time."""
        return self._private.sign(text)


def _split(text: str) -> tuple[str, str, bytes]:
    """Return name, key id text and decoded blob; base64 may hold further plus signs."""
    parts = text.split("+", 2)
    if len(parts) != len(("name", "id", "key")):
        raise KeyFormatError("a key is written name+id+base64")
    name, id_text, encoded = parts
    try:
        blob = decode_base64(encoded)
    except ValueError as error:
        raise KeyFormatError(f"the key is {error}") from error
    if not blob:
        raise KeyFormatError("the key is empty")
    return name, id_text, blob


# The library does not ask this of a public key (RFC 8032, 5.1). A signature under a key of small
# order needs no secret; a key of mixed order is taken by some verifiers and refused by others.


@lru_cache(_KEYS_REMEMBERED)
def _flaw_of(public_key: bytes) -> str:
    """Return why 32 bytes are no public key, "" if they are one that some secret made.

    It costs two powers in the field, and is remembered.
    """
    if len(public_key) != KEY_BYTES:
        return f"the public key is not {KEY_BYTES} bytes long"
    point = _decoded(public_key)
    if point is None:
        return "the public key is no point of the curve in its only spelling"
    if _is_neutral(_times(_COFACTOR, point)):
        return "the public key is of small order: to sign for it needs no secret"
    return ""


@lru_cache(_KEYS_REMEMBERED)
def _is_of_prime_order(public_key: bytes) -> bool:
    """Return whether a key lies in the group that signatures are made in; it is remembered."""
    point = _decoded(public_key)
    return point is not None and not _is_neutral(point) and _is_neutral(_times(_ORDER, point))


def _decoded(data: bytes) -> _Point | None:
    """Return the point that bytes encode in the only way; None if there is none."""
    number = int.from_bytes(data, "little")
    y, sign = number % _SIGN, number // _SIGN
    if y >= _PRIME:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _PRIME) % _PRIME
    x = pow(square, (_PRIME + 3) // 8, _PRIME)
    if x * x % _PRIME != square:
        x = x * _ROOT_OF_MINUS_1 % _PRIME
    if x * x % _PRIME != square or (x == 0 and sign):
        return None
    if x % 2 != sign:
        x = _PRIME - x
    return x, y, 1, x * y % _PRIME


def _times(factor: int, point: _Point) -> _Point:
    """Return a multiple of a point: doubling and adding, from the factor's highest bit on."""
    total = point
    for bit in bin(factor)[3:]:
        total = _sum(total, total)
        if bit == "1":
            total = _sum(total, point)
    return total


def _sum(p: _Point, q: _Point) -> _Point:
    """Return the sum of two points, which may be equal."""
    a = (p[1] - p[0]) * (q[1] - q[0]) % _PRIME
    b = (p[1] + p[0]) * (q[1] + q[0]) % _PRIME
    c = 2 * p[3] * q[3] * _D % _PRIME
    d = 2 * p[2] * q[2] % _PRIME
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _PRIME, g * h % _PRIME, f * g % _PRIME, e * h % _PRIME


def _is_neutral(point: _Point) -> bool:
    return point[0] % _PRIME == 0 and (point[1] - point[2]) % _PRIME == 0
