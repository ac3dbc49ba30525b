"""Signing keys at rest: sealed, bound to their ledger, opened by the right master key only.

On both databases where the store is concerned. No file and no column holds a key in plain text.
"""

import hashlib
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import select

from ledger.chain.keys import SecretKey
from ledger.clock import SystemClock
from ledger.errors import LedgerError, Reason
from ledger.events.envelope import encode_body
from ledger.storage import AppendRequest, CreateLedger, NewEvent, Store, open_store
from ledger.storage.schema import signing_keys
from ledger.storage.vault import Vault, VaultError
from tests.support.clocks import ManualClock
from tests.support.hooks import rows_of
from tests.support.stores import ORIGIN, VAULT

KEY = SecretKey(ORIGIN, bytes(range(32)))
VKEY = str(KEY.verifier_key)
CREATE = CreateLedger(ORIGIN, "wall", 300, "users/ada")


def test_a_sealed_key_opens_for_its_own_verifier_key_and_master_key_only() -> None:
    sealed = VAULT.seal(KEY, bytes(12))
    assert VAULT.unseal(VKEY, sealed).to_secret_text() == KEY.to_secret_text()
    assert KEY.to_secret_text().encode() not in sealed
    with pytest.raises(VaultError):
        Vault(bytes(32)).unseal(VKEY, sealed)
    other = str(SecretKey("ledger.example.com/other", bytes(range(32))).verifier_key)
    with pytest.raises(VaultError):
        VAULT.unseal(other, sealed)


def test_the_seal_itself_is_bound_to_origin_and_key() -> None:
    sealed = VAULT.seal(KEY, bytes(12))
    cipher = AESGCM(bytes(range(32)))
    bound = f"{ORIGIN}\n{VKEY}".encode()
    assert cipher.decrypt(sealed[1:13], sealed[13:], bound) == KEY.to_secret_text().encode()
    with pytest.raises(InvalidTag):
        cipher.decrypt(sealed[1:13], sealed[13:], b"")


@pytest.mark.parametrize("place", [0, 1, 13, -1])
def test_a_changed_byte_of_a_sealed_key_is_noticed(place: int) -> None:
    sealed = bytearray(VAULT.seal(KEY, bytes(12)))
    sealed[place] ^= 1
    with pytest.raises(VaultError):
        VAULT.unseal(VKEY, bytes(sealed))


def test_a_master_key_is_64_hex_digits_and_never_repeated() -> None:
    assert Vault.parse("ab" * 32 + "\n").unseal(VKEY, Vault(b"\xab" * 32).seal(KEY, bytes(12))).name
    assert repr(Vault(b"\xab" * 32)) == "Vault()"
    for text in ("", "ab" * 31, "ab" * 33, "xy" * 32, "secret"):
        with pytest.raises(VaultError) as caught:
            Vault.parse(text)
        assert not text or text not in str(caught.value)
    with pytest.raises(VaultError):
        Vault(bytes(31))


def test_a_new_ledger_has_the_key_that_signs_and_the_one_that_follows(store: Store) -> None:
    (first, signing), (second, following) = store.keys.opened(ORIGIN).items()
    assert first == store.ledgers.named(ORIGIN).vkey == str(signing.verifier_key)
    assert second == str(following.verifier_key)
    created, configured = store.events.read(ORIGIN)
    assert created.data["vkey"] == first
    assert configured.data["next_key_digest"] == hashlib.sha256(second.encode()).hexdigest()
    secrets = [row.secret for row in rows_of(store, select(signing_keys))]
    for key in (signing, following):
        assert all(key.to_secret_text().encode() not in secret for secret in secrets)


def test_an_append_keeps_keys_with_its_events_or_not_at_all(store: Store) -> None:
    fresh = store.keys.draw(ORIGIN)
    assert fresh.to_secret_text() != store.keys.draw(ORIGIN).to_secret_text()
    event = NewEvent("models/a", "model.updated.v1", encode_body(actor="users/ada", data={}))
    late = AppendRequest(
        ORIGIN, "users/ada", "Test", [event], deadline_monotonic=-1.0, keys=(fresh,)
    )
    with pytest.raises(LedgerError):
        store.requests.append(late)
    assert str(fresh.verifier_key) not in store.keys.opened(ORIGIN)
    kept = AppendRequest(ORIGIN, "users/ada", "Test", [event], request_id="r", keys=(fresh,))
    for _ in range(2):  # a repeat keeps nothing twice
        store.requests.append(kept)
    assert [*store.keys.opened(ORIGIN)][2:] == [str(fresh.verifier_key)]
    assert store.keys.opened(ORIGIN)[str(fresh.verifier_key)].name == ORIGIN


def test_the_master_key_of_a_file_is_made_once_and_for_its_owner_only(sqlite_url: str) -> None:
    path = Path(sqlite_url.removeprefix("sqlite:///") + ".key")
    store = open_store(sqlite_url, SystemClock(), create=True)
    assert not path.exists()  # nothing is sealed yet
    store.ledgers.create(CREATE)
    text = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    keys = [*store.keys.opened(ORIGIN)]
    store.close()
    again = open_store(sqlite_url, SystemClock(), create=True)
    again.ledgers.create(CreateLedger("ledger.example.com/other", "wall", 300, "users/ada"))
    assert [*again.keys.opened(ORIGIN)] == keys
    assert path.read_text() == text
    again.close()


def test_a_lost_master_key_is_not_replaced_by_a_new_one(sqlite_url: str) -> None:
    path = Path(sqlite_url.removeprefix("sqlite:///") + ".key")
    store = open_store(sqlite_url, SystemClock(), create=True)
    store.ledgers.create(CREATE)
    store.close()
    path.unlink()
    again = open_store(sqlite_url, SystemClock(), create=True)
    for call in (
        lambda: again.keys.opened(ORIGIN),
        lambda: again.ledgers.create(CreateLedger("a/b", "wall", 300, "users/ada")),
    ):
        with pytest.raises(LedgerError, match=r"keys\.file") as caught:
            call()
        assert caught.value.reason is Reason.STORE_UNAVAILABLE
    assert not path.exists()
    assert [info.origin for info in again.ledgers.all()] == [ORIGIN]
    assert len(again.events.read(ORIGIN)) == 2  # reading needs no key
    again.close()


def test_the_wrong_master_key_is_refused_with_what_to_do(
    database_url: str, clock: ManualClock
) -> None:
    store = open_store(database_url, clock, vault=VAULT, create=True)
    store.ledgers.create(CREATE)
    store.close()
    other = open_store(database_url, clock, vault=Vault(bytes(32)))
    with pytest.raises(LedgerError, match="does not open with this master key") as caught:
        other.keys.opened(ORIGIN)
    assert caught.value.reason is Reason.STORE_UNAVAILABLE
    other.close()


def test_a_key_whose_row_was_changed_into_something_else_is_damage(
    sqlite_url: str, clock: ManualClock
) -> None:
    with closing(open_store(sqlite_url, clock, vault=VAULT, create=True)) as store:
        store.ledgers.create(CREATE)
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as raw:
        raw.execute("DROP TRIGGER signing_keys_no_update")
        raw.execute("UPDATE signing_keys SET vkey = x'05' WHERE number = 1")
        raw.commit()
    with closing(open_store(sqlite_url, clock, vault=VAULT)) as store:
        with pytest.raises(LedgerError, match="a signing key cannot be read") as error:
            store.keys.opened(ORIGIN)
        assert error.value.reason is Reason.CHAIN_BROKEN


@pytest.mark.postgres
def test_postgres_says_where_to_put_a_master_key(postgres_url: str, clock: ManualClock) -> None:
    store = open_store(postgres_url, clock, create=True)
    with pytest.raises(LedgerError, match=r"keys\.file"):
        store.ledgers.create(CREATE)
    assert store.ledgers.all() == []
    store.close()


def test_a_bare_recorder_needs_no_key(database_url: str, clock: ManualClock) -> None:
    store = open_store(database_url, clock, create=True)
    info = store.ledgers.open_recorder("recorder/plain")
    assert info.vkey == ""
    assert store.keys.opened("recorder/plain") == {}
    store.close()
    assert not Path(database_url.removeprefix("sqlite:///") + ".key").exists()
