"""Values sealed under the master key, which the database does not hold: signing keys and heads.

Keys: AES-256-GCM, with the ledger's origin and the verifier key as associated data, so that a
sealed key that is moved to another row does not open. A thief of the database alone cannot sign; a
thief of the master key too can, so the two are kept, copied and backed up apart. Which key signs is
not written here: the ledger's own events say it.

Heads: with write access to the database alone, events can be added that verify, since hashes and
tree have no secret. So each commit seals the head that it leaves: HMAC-SHA256, under a key derived
from the master key. A head without its seal is neither served, appended to nor signed.
"""

import hmac
import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, func, select

from ledger.chain.keys import KEY_BYTES, KeyFormatError, SecretKey
from ledger.clock import Clock
from ledger.errors import LedgerError, Reason, invalid_field
from ledger.private import write_whole
from ledger.reading import NOTE_BYTES_MAX
from ledger.secrecy import ExposedError, read_secret
from ledger.setting_sections import KeySettings
from ledger.storage.database import damaged, unavailable
from ledger.storage.key_command import command_failed, output_of
from ledger.storage.records import LedgerInfo
from ledger.storage.schema import checkpoints, signing_keys

MASTER_BYTES: Final = 32
NONCE_BYTES: Final = 12

_HEAD_KEY: Final = b"decision-ledger/head-key/1"
_FORM: Final = b"\x01"  # of a sealed key: this byte, nonce, ciphertext with its tag
_TEXT: Final = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
_HEAD_FORM: Final = "decision-ledger/head/1"
_HEAD_FIELDS: Final = {
    "position": int,
    "event_hash": bytes,
    "recorded_at": int,
    "newest_observed_at": int,
    "tree": bytes,
}


class VaultError(ValueError):
    """An invalid master key, or a sealed key that it does not open; no text is repeated."""


class Vault:
    """Seals and opens signing keys. Its repr shows nothing."""

    __slots__ = ("_cipher", "_head_key", "_master")

    def __init__(self, master: bytes) -> None:
        """Take the master key: 32 random bytes."""
        if len(master) != MASTER_BYTES:
            raise VaultError(f"the master key is not {MASTER_BYTES} bytes long")
        self._master = master
        self._cipher = AESGCM(master)
        self._head_key = hmac.digest(master, _HEAD_KEY, "sha256")

    @classmethod
    def parse(cls, text: str) -> "Vault":
        """Return the vault of a master key in text: 64 hex digits."""
        if _TEXT.fullmatch(text.strip()) is None:
            raise VaultError("a master key is written as 64 hex digits")
        return cls(bytes.fromhex(text.strip()))

    @classmethod
    def from_file(cls, path: Path) -> "Vault":
        """Return the vault of the master key in a file, which no other user may read.

        STORE_UNAVAILABLE where there is none, or another user may.
        """
        try:
            return cls.parse(read_secret(path, NOTE_BYTES_MAX).decode("ascii"))
        except ExposedError as error:
            raise _no_master(path, error.why, error.remedy) from error
        except OSError as error:
            raise _no_master(path, error.strerror or str(error)) from error
        except ValueError as error:  # not ASCII, or no key
            raise _no_master(path, "a master key is written as 64 hex digits") from error

    @classmethod
    def from_command(cls, command: Sequence[str]) -> "Vault":
        """Return the vault of the master key that a command prints; STORE_UNAVAILABLE if none."""
        try:
            return cls.parse(output_of(command).decode("ascii"))
        except ValueError:  # not ASCII, or no key; neither is repeated
            raise command_failed(command, "it printed no master key") from None

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


class SealedKeys:
    """Draws, seals and opens keys with the vault given, or with the one that belongs to the file.

    `default_file`: where the master key of a SQLite database is unless a vault is given. It is
    made when the first key of the database is sealed, and never again: a master key that is gone
    is an operator's business.
    """

    def __init__(
        self, vault: Vault | None, default_file: Path | None, clock: Clock, *, read_only: bool
    ) -> None:
        self._vault = vault
        self._default_file = default_file
        self._clock = clock
        self._read_only = read_only
        self._lock = threading.Lock()

    def under(self, vault: Vault) -> "SealedKeys":
        """Return what seals under another master key."""
        return SealedKeys(vault, None, self._clock, read_only=True)

    def draw(self, origin: str) -> SecretKey:
        """Return a fresh key of a ledger; nothing is kept."""
        return SecretKey(origin, self._clock.random_bytes(KEY_BYTES))

    def sealed(self, connection: Connection, key: SecretKey) -> bytes:
        """Return a key as it may be stored; STORE_UNAVAILABLE where there is no master key."""
        return self.vault(connection).seal(key, self._clock.random_bytes(NONCE_BYTES))

    def opened(self, connection: Connection, rows: Iterable[Any]) -> dict[str, SecretKey]:
        """Return the keys of rows with `vkey` and `secret`, by verifier key."""
        found = list(rows)
        if not found:
            return {}
        vault = self.vault(connection)
        return {row.vkey: _opened(vault, row) for row in found}

    def head_seal(self, connection: Connection, info: LedgerInfo, head: Any) -> bytes | None:  # noqa: ANN401 - a head in any form
        """Return the seal of a head; STORE_UNAVAILABLE where there is no master key.

        None for the ledger of a bare recorder, which has no keys.
        """
        if not info.vkey:
            return None
        return self.vault(connection).head_code(_head_text(info.origin, head))

    def check_head(self, connection: Connection, info: LedgerInfo, head: Any) -> None:  # noqa: ANN401
        """Raise CHAIN_BROKEN unless the head carries its seal."""
        expected = self.head_seal(connection, info, head)
        if expected is None:
            _refuse_signed(connection, info)
            return
        if type(head.seal) is bytes and hmac.compare_digest(head.seal, expected):
            return
        raise _not_sealed(connection, info, head)

    def vault(self, connection: Connection) -> Vault:
        """Return the vault, which a database without any key may begin now.

        STORE_UNAVAILABLE where there is no master key.
        """
        with self._lock:
            if self._vault is None:
                self._vault = self._default_vault(connection)
            return self._vault

    def _default_vault(self, connection: Connection) -> Vault:
        path = self._default_file
        if path is None:
            raise unavailable(
                "This database needs a master key for its signing keys, and none is set.",
                remedy="Write 64 hex digits (`openssl rand -hex 32`) to a file that only the "
                "service may read, and name it with the setting `keys.file`; or name a command "
                "that prints them (`keys.command`). Every server of the database needs the same.",
                retry=False,
            )
        if self._read_only or path.exists() or _has_keys(connection):
            return Vault.from_file(path)
        return Vault.create_file(path, self._clock)


def chosen_vault(keys: KeySettings) -> Vault | None:
    """Return what opens the signing keys, as the settings say; None for the store's own way.

    FIELD_INVALID for a secret that is no key, STORE_UNAVAILABLE where a file or command has none.
    """
    if keys.command:
        return Vault.from_command(keys.command)
    if keys.secret:
        try:
            return Vault.parse(keys.secret)
        except VaultError as error:
            raise invalid_field("keys.secret", str(error)) from error
    return Vault.from_file(Path(keys.file)) if keys.file else None


def _names(vkey: str) -> bytes:
    """Return what a sealed key is bound to: the origin, which is the key's name, and the key."""
    return f"{vkey.partition('+')[0]}\n{vkey}".encode()


def _no_master(path: Path, why: str, remedy: str = "") -> LedgerError:
    return unavailable(
        f"The master key for the signing keys cannot be had from {path}: {why}.",
        remedy=remedy
        or "Put the key back from its own backup, or name its place with the setting "
        "`keys.file` (a file), `keys.command` (a command that prints it) or `keys.secret`.",
        retry=False,
    )


def keep_keys(connection: Connection, ledger_id: int, sealed: Mapping[str, bytes]) -> None:
    """Store sealed keys, given by verifier key, behind those that the ledger has."""
    newest = connection.execute(
        select(func.max(signing_keys.c.number)).where(signing_keys.c.ledger_id == ledger_id)
    ).scalar()
    rows = [
        {"ledger_id": ledger_id, "number": number, "vkey": vkey, "secret": secret}
        for number, (vkey, secret) in enumerate(sealed.items(), (newest or 0) + 1)
    ]
    connection.execute(signing_keys.insert(), rows)


def _has_keys(connection: Connection) -> bool:
    """Return whether any key was sealed before."""
    return connection.execute(select(signing_keys.c.vkey).limit(1)).first() is not None


def _opened(vault: Vault, row: Any) -> SecretKey:  # noqa: ANN401 - a row
    if type(row.vkey) is not str or type(row.secret) is not bytes:
        raise damaged("the row of a signing key cannot be read")
    try:
        return vault.unseal(row.vkey, row.secret)
    except VaultError as error:
        raise not_opened(row.vkey, str(error)) from error


def not_opened(vkey: str, why: str) -> LedgerError:
    """Return the refusal to work with a key that the master key does not open."""
    return unavailable(
        f"The signing key {vkey[:300]} cannot be used: {why}.",
        remedy="Start with the master key that this database was written with (`keys.file`, "
        "`keys.command` or `keys.secret`); without it the ledger can be read and verified, but not "
        "signed.",
        retry=False,
    )


def _head_text(origin: str, head: Any) -> bytes:  # noqa: ANN401 - a head in any form
    """Return what is sealed: every column of the head, under the ledger's name."""
    lines = [_HEAD_FORM, origin]
    for name, kind in _HEAD_FIELDS.items():
        value = getattr(head, name)
        if value is None and name == "newest_observed_at":
            lines.append("")
        elif type(value) is not kind:
            raise damaged(f"the head of {origin} cannot be read")
        else:
            lines.append(value.hex() if isinstance(value, bytes) else str(value))
    return "\n".join(lines).encode()


def _refuse_signed(connection: Connection, info: LedgerInfo) -> None:
    """Refuse a ledger that is said to have no key, and has kept or used one."""
    for table in (signing_keys, checkpoints):
        where = table.c.ledger_id == info.ledger_id
        if connection.execute(select(table.c.ledger_id).where(where).limit(1)).first() is not None:
            raise damaged(f"the row of {info.origin} has no key, and {table.name} has rows of it")


def _not_sealed(connection: Connection, info: LedgerInfo, head: Any) -> LedgerError:  # noqa: ANN401
    """Return the refusal of a head that no server of this ledger wrote, beside the signed one."""
    newest = (
        select(checkpoints.c.size, checkpoints.c.note)
        .where(checkpoints.c.ledger_id == info.ledger_id)
        .order_by(checkpoints.c.size.desc())
        .limit(1)
    )
    signed = connection.execute(newest).first()
    has = "no seal" if head.seal is None else "a seal of another key or of another head"
    root = str(signed.note).split("\n")[2] if signed and str(signed.note).count("\n") > 2 else ""
    kept = (
        f"The newest signed checkpoint is over {signed.size} events, with root {root}."
        if signed is not None
        else "No checkpoint was signed."
    )
    return LedgerError(
        Reason.CHAIN_BROKEN,
        f"The head of {info.origin}, {head.position} events with hash {head.event_hash.hex()}, "
        f"has {has}: no server with this master key wrote it. {kept}",
        remedy="If an earlier release wrote this database, or a program repaired it on purpose: "
        "`decision-ledger ledger adopt DATABASE` verifies all of it and seals its heads. "
        "Otherwise keep it as evidence, and restore from a copy that verifies.",
        metadata={
            "ledger": info.origin,
            "position": str(head.position),
            "event_hash": head.event_hash.hex(),
            "signed_size": str(signed.size if signed is not None else 0),
        },
    )
