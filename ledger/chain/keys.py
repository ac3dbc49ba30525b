"""Ed25519 keys as signed notes name them (C2SP signed-note), their text forms, and its base64.

A verifier key is public and is what an auditor pins. A signing key is secret: keeping it and
drawing its seed at random are left to the caller; here it is only held and used.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass, field
from typing import ClassVar, Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

# The type byte says what a signature is over, so that one purpose cannot replace another.
ED25519: Final = 0x01  # over the text of a note
COSIGNATURE: Final = 0x04  # Ed25519 over a time and the text of a checkpoint

KEY_BYTES: Final = 32
KEY_ID_BYTES: Final = 4
SIGNATURE_BYTES: Final = 64

_PRIVATE_PREFIX: Final = "PRIVATE+KEY+"


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
        if self.type not in (ED25519, COSIGNATURE):
            raise KeyFormatError(f"keys of type {self.type:#04x} are not supported")
        if len(self.public_key) != KEY_BYTES:
            raise KeyFormatError(f"the public key is not {KEY_BYTES} bytes long")
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
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, text)
        except (InvalidSignature, ValueError):
            return False
        return True


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
