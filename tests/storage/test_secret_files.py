"""A file with a secret is read only where no other user can read or change it, by one function.

Method: the same file under each mode, owner and name; then each reader of a secret, with its file
opened to others. Another owner is played by a process that takes itself for another user.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.certificate_files import CertificateError, read_identity
from ledger.chain.cosignature import CosigningKey
from ledger.client.security import BearerToken
from ledger.errors import LedgerError
from ledger.secrecy import (
    ExposedError,
    child_environment,
    exposure,
    is_foreign,
    owner_of,
    read_secret,
    without_tokens,
)
from ledger.storage.vault import Vault
from ledger.witness.key_file import load_key
from ledger.worker_process import WorkerProcess
from tests.support.clocks import ManualClock
from tests.support.trial import trial

SECRET = "5ec7e7" * 10 + "5ec7"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with a master key, for its owner only."""
    made = tmp_path / "a.key"
    made.touch(mode=0o600)
    made.write_text(SECRET)
    return made


def as_user(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process take itself for another user than the one who made the files."""
    monkeypatch.setattr(os, "geteuid", lambda: number)


def given_away(path: Path) -> int:
    """Let a file or link belong to a user who may not do all; return who that is."""
    if os.getuid() == 0:
        os.chown(path, 12_345, -1, follow_symlinks=False)
    return path.lstat().st_uid


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_file_of_its_owner_alone_is_read(path: Path, mode: int) -> None:
    path.chmod(mode)
    assert read_secret(path, 100) == SECRET.encode()
    assert exposure(path) is None


@pytest.mark.parametrize("mode", [0o640, 0o620, 0o610, 0o604, 0o602, 0o601, 0o666, 0o644])
def test_a_file_that_others_have_any_right_to_is_refused(path: Path, mode: int) -> None:
    path.chmod(mode)
    with pytest.raises(ExposedError) as caught:
        read_secret(path, 100)
    assert f"(mode {mode:04o})" in caught.value.why
    assert f"chmod 600 {path}" in caught.value.remedy
    assert str(exposure(path)) == str(caught.value)


def test_a_mounted_file_that_its_group_may_read_is_refused_with_the_page_that_says_what_to_do(
    path: Path,
) -> None:
    page = "ledger/docs/configuration.md"
    said = []
    for mode in (0o440, 0o640, 0o444, 0o660):
        path.chmod(mode)
        with pytest.raises(ExposedError) as caught:
            read_secret(path, 100)
        said.append(page in caught.value.remedy)
    assert said == [True, True, False, False]
    text = (Path(__file__).parents[2] / page).read_text("utf-8")
    assert '["/bin/cat", "/etc/ledger-secrets/master.key"]' in text


def test_a_file_of_another_user_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = given_away(path)
    as_user(54_321, monkeypatch)
    with pytest.raises(ExposedError, match=f"it belongs to {owner_of(path.stat())}"):
        read_secret(path, 100)
    as_user(owner, monkeypatch)
    assert read_secret(path, 100) == SECRET.encode()


def test_a_file_of_the_user_who_may_do_all_is_no_other_users(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    as_user(54_321, monkeypatch)
    owners = {owner: os.stat_result((0o600, 0, 0, 1, owner, 0, 0, 0, 0, 0)) for owner in (0, 1)}
    assert {owner: is_foreign(found) for owner, found in owners.items()} == {0: False, 1: True}


def test_a_link_is_followed_and_what_it_leads_to_is_judged(path: Path) -> None:
    link = path.with_name("link.key")
    link.symlink_to(path)
    assert read_secret(link, 100) == SECRET.encode()
    path.chmod(0o644)
    with pytest.raises(ExposedError, match="0644"):
        read_secret(link, 100)


def test_a_link_of_another_user_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = path.with_name("link.key")
    link.symlink_to(path)
    given_away(link)
    as_user(54_321, monkeypatch)
    with pytest.raises(ExposedError, match=f"a symbolic link of {owner_of(link.lstat())}"):
        read_secret(link, 100)


def test_what_is_no_plain_file_or_too_large_is_refused(path: Path, tmp_path: Path) -> None:
    for place, most in ((path, 3), (tmp_path, 100), (tmp_path / "none", 100)):
        with pytest.raises(OSError, match=r"3 bytes|plain file|directory|No such file"):
            read_secret(place, most)


# ---- texts ---------------------------------------------------------------------------------------

TOKEN = "dlt_0123456789abcdef_wUeRez2K8vSlxtxUKkXCZgMiLv-rw70RvEg8ggktG6U"
JWT = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2ln-_8"
TEXTS = {
    f"actor '{TOKEN}' is none": "actor '(a token)' is none",
    f"Bearer {JWT}, {TOKEN}": "Bearer (a token), (a token)",
    f"{TOKEN[:60]!r} is too long": "'(a token)' is too long",
    f"{JWT[:30]} is cut": "(a token) is cut",
    "dlt_0123456789abcdef is a token's name": "dlt_0123456789abcdef is a token's name",
    "users/ana read eyJ": "users/ana read eyJ",
}


@pytest.mark.parametrize("text", TEXTS)
def test_a_token_in_a_text_of_others_is_not_repeated(text: str) -> None:
    assert without_tokens(text) == TEXTS[text]


# ---- readers ------------------------------------------------------------------------------------


def read_master_key(path: Path) -> None:
    Vault.from_file(path)


def read_witness_key(path: Path) -> None:
    load_key(path, None, ManualClock())


def read_private_key(path: Path) -> None:
    read_identity(trial().certificate, path)


def read_token(path: Path) -> None:
    BearerToken(path)


READERS = {
    "the master key": (read_master_key, SECRET),
    "a witness's key": (read_witness_key, CosigningKey("w.example", bytes(32)).to_secret_text()),
    "the private key of a certificate": (read_private_key, ""),
    "a caller's token": (read_token, TOKEN),
}


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_of_a_secret_refuses_what_others_may_read_and_says_what_to_do(
    reader: str, path: Path
) -> None:
    read: Callable[[Path], None]
    read, text = READERS[reader]
    text = text or trial().key.read_text()
    path.write_text(text)
    read(path)
    path.chmod(0o640)
    with pytest.raises((LedgerError, CertificateError)) as caught:
        read(path)
    assert "others may read or change it (mode 0640)" in str(caught.value)
    assert f"chmod 600 {path}" in str(caught.value)
    assert text.strip() not in str(caught.value)


# ---- what child processes inherit ----------------------------------------------------------------


def environment_there() -> dict[str, str]:
    return dict(os.environ)


def test_a_process_that_computes_inherits_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGER_KEYS__SECRET", SECRET)
    monkeypatch.setenv("ledger_keys__secret", SECRET)
    monkeypatch.setenv("LEDGER_STORAGE__DATABASE", f"postgresql://u:{SECRET}@h/db")
    monkeypatch.setenv("PGPASSWORD", "of the database")
    monkeypatch.setenv("KEPT", "kept")
    process = WorkerProcess()
    try:
        found = process.call(environment_there)
    finally:
        process.close()
    assert found["KEPT"] == "kept"
    assert found["PGPASSWORD"] == "of the database"  # it reads the database by itself
    assert SECRET not in str(found)


def test_a_child_that_reads_no_database_inherits_no_password_of_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PGPASSWORD", SECRET)
    monkeypatch.setenv("KEPT", "kept")
    found = child_environment()
    assert found["KEPT"] == "kept"
    assert SECRET not in str(found)
