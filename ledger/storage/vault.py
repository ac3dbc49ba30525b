"""Signing keys at rest: sealed under a master key that the database does not hold.

AES-256-GCM, with the ledger's origin and the verifier key as associated data: a sealed key that is
moved to another row does not open. A thief of the database alone cannot sign; a thief of the
master key too can, so the two are kept, copied and backed up apart.
"""

import hmac
import re
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger.chain.keys import KeyFormatError, SecretKey
from ledger.clock import Clock
from ledger.errors import LedgerError, invalid_field
from ledger.private import write_whole
from ledger.reading import NOTE_BYTES_MAX, read_bytes
from ledger.storage.database import unavailable

MASTER_BYTES: Final = 32
NONCE_BYTES: Final = 12

_HEADS: Final = b"decision-ledger/head-key/1"
_FORM: Final = b"\x01"  # of a sealed key: this byte, nonce, ciphertext with its tag
_TEXT: Final = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)


class VaultError(ValueError):
    """A master key that is none, or a sealed key that it does not open; no text is repeated."""


class Vault:
    """Seals and opens signing keys. Its repr shows nothing."""

    __slots__ = ("_cipher", "_head_key", "_master")

    def __init__(self, master: bytes) -> None:
        """Take the master key: 32 random bytes."""
        if len(master) != MASTER_BYTES:
            raise VaultError(f"the master key is not {MASTER_BYTES} bytes long")
        self._master = master
        self._cipher = AESGCM(master)
        self._head_key = hmac.digest(master, _HEADS, "sha256")

    @classmethod
    def parse(cls, text: str) -> "Vault":
        """Return the vault of a master key in text: 64 hex digits."""
        if _TEXT.fullmatch(text.strip()) is None:
            raise VaultError("a master key is written as 64 hex digits")
        return cls(bytes.fromhex(text.strip()))

    @classmethod
    def from_file(cls, path: Path) -> "Vault":
        """Return the vault of the master key in a file; STORE_UNAVAILABLE if there is none."""
        try:
            return cls.parse(read_bytes(path, NOTE_BYTES_MAX).decode("ascii"))
        except OSError as error:
            raise _no_master(path, error.strerror or str(error)) from error
        except ValueError as error:  # not ASCII, or no key
            raise _no_master(path, "a master key is written as 64 hex digits") from error

    @classmethod
    def create_file(cls, path: Path, clock: Clock) -> "Vault":
        """Draw a master key and write it to a new file that only its owner may read.

        The file is durable and whole when this returns, or not there at all.
        """
        vault = cls(clock.random_bytes(MASTER_BYTES))
        try:
            write_whole(path, f"{vault._master.hex()}\n".encode())
        except OSError as error:
            raise _no_master(path, error.strerror or str(error)) from error
        return vault

    def seal(self, key: SecretKey, nonce: bytes) -> bytes:
        """Return a key's secret as it may be stored. A nonce is 12 random bytes, used once."""
        assert len(nonce) == NONCE_BYTES
        names = _names(str(key.verifier_key))
        return _FORM + nonce + self._cipher.encrypt(nonce, key.to_secret_text().encode(), names)

    def unseal(self, vkey: str, sealed: bytes) -> SecretKey:
        """Return the key that was sealed for this verifier key, or raise VaultError."""
        form, nonce, text = sealed[:1], sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
        if form != _FORM:
            raise VaultError("the sealed key is not in a form that this release knows")
        try:
            secret = self._cipher.decrypt(nonce, text, _names(vkey)).decode()
            key = SecretKey.parse(secret)
        except (InvalidTag, KeyFormatError, ValueError) as error:
            raise VaultError("the sealed key does not open with this master key") from error
        if str(key.verifier_key) != vkey:
            raise VaultError("the sealed key is another one than its row says")
        return key

    def head_code(self, text: bytes) -> bytes:
        """Return the authentication code of a head, 32 bytes: HMAC-SHA256 under a derived key."""
        return hmac.digest(self._head_key, text, "sha256")

    def __repr__(self) -> str:
        """Return a text that can be logged."""
        return "Vault()"


def chosen_vault(file: str, secret: str) -> Vault | None:
    """Return what opens the signing keys, as the settings say; None for the store's own way."""
    if secret:
        try:
            return Vault.parse(secret)
        except VaultError as error:
            raise invalid_field("keys.secret", str(error)) from error
    return Vault.from_file(Path(file)) if file else None


def _names(vkey: str) -> bytes:
    """Return what a sealed key is bound to: the origin, which is the key's name, and the key."""
    return f"{vkey.partition('+')[0]}\n{vkey}".encode()


def _no_master(path: Path, why: str) -> LedgerError:
    return unavailable(
        f"The master key for the signing keys cannot be had from {path}: {why}.",
        remedy="Put the key back from its own backup, or name its place with the setting "
        "`keys.file` (a file) or `keys.secret` (the key itself).",
        retry=False,
    )
