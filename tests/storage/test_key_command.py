"""The master key may come from a command: run without a shell, bounded, and never quoted.

Method: small programs that print, fail, hang, flood, leave a process behind or tell the key on
standard error; each refusal is looked at with all that caused it.
"""

import json
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from pydantic import ValidationError

from ledger.errors import LedgerError, Reason
from ledger.limits import KEY_COMMAND_BYTES_MAX
from ledger.service import Service
from ledger.setting_sections import KeySettings
from ledger.settings import SettingsError, load
from ledger.storage.key_command import output_of
from ledger.storage.vault import Vault
from tests.support.server_process import is_running, until
from tests.support.stores import ORIGIN
from tools.quiet import quiet

KEY = "5ec7e7" * 10 + "5ec7"
CUT = "\N{HORIZONTAL ELLIPSIS}"
OTHER = "0ddba11" * 9 + "0"

Program = Callable[..., tuple[str, ...]]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Return the command of a program that a few lines of Python are."""

    def made(lines: str, *words: str) -> tuple[str, ...]:
        path = tmp_path / f"kms-{len(list(tmp_path.glob('kms-*')))}"
        path.touch(mode=0o700)
        path.write_text(f"#!{sys.executable} -S\nimport os, sys, time\n{lines}\n")
        return (str(path), *words)

    return made


def refusal(command: Sequence[str]) -> str:
    """Return what is said of a command that gives no key, with all that caused it."""
    with pytest.raises(LedgerError) as caught:
        Vault.from_command(command)
    assert caught.value.reason is Reason.STORE_UNAVAILABLE
    assert caught.value.retry_after_seconds is None
    assert "keys.command" in caught.value.remedy
    said = "".join(traceback.format_exception(caught.value))
    assert KEY not in said
    assert KEY[:32] not in said
    return caught.value.message


def test_the_key_that_a_command_prints_opens_what_was_sealed_with_it(program: Program) -> None:
    vault = Vault.from_command(program(f"print({KEY!r})"))
    assert vault.head_code(b"x") == Vault.parse(KEY).head_code(b"x")


def test_a_command_is_run_without_a_shell_and_gets_its_words_as_they_are(
    program: Program, tmp_path: Path
) -> None:
    words = ["$HOME", f"; touch {tmp_path}/shell", "* ", ""]
    command = program("print(repr(sys.argv[1:]), repr(sys.stdin.read()))")
    assert output_of([*command, *words]).decode().strip() == f"{words!r} ''"
    assert not (tmp_path / "shell").exists()


def test_a_command_inherits_no_setting_and_no_password(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LEDGER_KEYS__SECRET", "LEDGER_STORAGE__DATABASE", "PGPASSWORD"):
        monkeypatch.setenv(name, KEY)
    monkeypatch.setenv("KMS_ADDRESS", "kept")
    found = json.loads(output_of(program("import json; print(json.dumps(dict(os.environ)))")))
    assert found["KMS_ADDRESS"] == "kept"
    assert KEY not in str(found)


WRONG = {
    "print()": "it printed no master key",
    f"print({KEY[:-1]!r})": "it printed no master key",
    f"print({KEY!r} * 2)": "it printed no master key",
    "os.write(1, bytes(range(128, 160)))": "it printed no master key",
    f"print({KEY!r}); sys.exit(3)": "it ended with status 3",
    "os.kill(os.getpid(), 9)": "signal 9 ended it",
    f"print({KEY!r} * 1000)": f"it printed more than {KEY_COMMAND_BYTES_MAX} bytes",
    "while True: print('x' * 10000)": f"it printed more than {KEY_COMMAND_BYTES_MAX} bytes",
    "print('no such key', file=sys.stderr); sys.exit(1)": "status 1, and said: no such key",
    "print('\\n\\n a\\x1b[31mb\\n c', file=sys.stderr); sys.exit(1)": "and said: a\\x1b[31mb",
    f"print('got {KEY} only', file=sys.stderr); sys.exit(1)": f"and said: got {CUT} only",
    "print('x y ' * 900, file=sys.stderr); sys.exit(1)": "and said: x y x y",
    "sys.stderr.write('x' * 10**6); sys.exit(7)": f"status 7, and said: {CUT}.",
}


@pytest.mark.parametrize("lines", WRONG)
def test_a_command_that_gives_no_key_is_refused_by_what_it_did(
    lines: str, program: Program
) -> None:
    said = refusal(program(lines, "an argument"))
    assert WRONG[lines] in said
    assert "an argument" not in said
    assert len(said) < 600


def test_a_command_that_cannot_be_started_is_refused(tmp_path: Path) -> None:
    assert "No such file" in refusal([str(tmp_path / "none")])
    plain = tmp_path / "plain"
    plain.touch(mode=0o600)
    assert "Permission denied" in refusal([str(plain)])


def test_a_command_that_hangs_is_killed_with_all_that_it_started(
    program: Program, tmp_path: Path
) -> None:
    """Method: a shell would leave the process behind that holds its output."""
    pids = tmp_path / "pids"
    lines = f"""
if child := os.fork():
    with open({str(pids)!r}, "w") as file:
        file.write(f"{{os.getpid()}} {{child}}")
time.sleep(600)
"""
    command = program(lines)
    with pytest.raises(LedgerError, match="it had not ended after 1 seconds, and was killed"):
        output_of(command, seconds=1)
    started = [int(word) for word in pids.read_text().split()]
    until(lambda: not any(map(is_running, started)), "what the command started has ended")


def test_a_command_that_closes_its_output_and_goes_on_is_killed(program: Program) -> None:
    command = program("os.close(1); time.sleep(600)")
    with pytest.raises(LedgerError, match="had not ended"):
        output_of(command, seconds=1)


def test_a_process_that_a_command_leaves_behind_is_not_waited_for(program: Program) -> None:
    lines = f"""
print({KEY!r}, flush=True)
if not os.fork():
    os.close(1)
    os.setsid()
    time.sleep(5)
"""
    assert output_of(program(lines)).decode().strip() == KEY


# ---- the setting ---------------------------------------------------------------------------------

FORMS = {
    '"/usr/bin/kms get"': "a command is a list of words",
    "[1]": "each word of a command is text",
    '["kms"]': "begins with the whole path of its program",
    '["./kms"]': "begins with the whole path of its program",
    '[""]': "begins with the whole path of its program",
    '["/usr/bin/kms", "a\\u0000b"]': "without a zero byte",
    '["/usr/bin/kms", ["get"]]': "each word of a command is text",
    "3": "valid tuple",
}


@pytest.mark.parametrize("form", FORMS)
def test_a_form_that_is_no_command_is_refused_by_name(form: str, tmp_path: Path) -> None:
    file = tmp_path / "ledger.toml"
    file.write_text(f"[keys]\ncommand = {form}\n")
    with pytest.raises(SettingsError, match=r"keys\.command") as caught:
        load(file)
    assert FORMS[form] in str(caught.value)


def test_a_line_of_words_in_the_environment_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LEDGER_KEYS__COMMAND", "/usr/bin/kms get")
    with pytest.raises(SettingsError, match=r"LEDGER_KEYS__COMMAND\. Lists are written as JSON"):
        load()
    monkeypatch.setenv("LEDGER_KEYS__COMMAND", '["/usr/bin/kms", "get"]')
    assert load().keys.command == ("/usr/bin/kms", "get")


@pytest.mark.parametrize("two", [("file", "secret"), ("file", "command"), ("secret", "command")])
def test_the_master_key_has_one_source(
    two: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stated = {"file": "/srv/a.key", "secret": KEY, "command": '["/usr/bin/kms"]'}
    for name in two:
        monkeypatch.setenv(f"LEDGER_KEYS__{name.upper()}", stated[name])
    with pytest.raises(SettingsError, match=f"keys.{two[0]} and keys.{two[1]}") as caught:
        load()
    assert KEY not in "".join(traceback.format_exception(caught.value))


# ---- what opens the vault ------------------------------------------------------------------------


def test_a_service_opens_what_a_command_gives_the_key_of_and_makes_no_file(
    program: Program, tmp_path: Path
) -> None:
    database = tmp_path / "ledger.sqlite"
    right = program(f"print({KEY!r})")
    with Service(quiet(str(database), keys__command=right)) as service:
        service.create_ledger(ORIGIN, clock="data", unit_of_cost="", actor="users/ada")
        assert service.ledger().attestation.checkpoints.sign().size == 2
    assert not database.with_name("ledger.sqlite.key").exists()
    with Service(quiet(str(database), keys__command=right)) as service:
        assert service.ledger().log.head().position == 2
    wrong = program(f"print({OTHER!r})")
    with pytest.raises(LedgerError, match="does not open with this master key"):
        Service(quiet(str(database), keys__command=wrong)).start()


def test_a_key_that_a_mounted_volume_shows_to_a_group_comes_by_a_command_and_not_as_a_file(
    tmp_path: Path,
) -> None:
    mounted = tmp_path / "master.key"
    mounted.write_text(f"{KEY}\n")
    mounted.chmod(0o440)
    database = str(tmp_path / "l.sqlite")
    with pytest.raises(LedgerError, match=r"mode 0440"):
        Service(quiet(database, keys__file=str(mounted)))
    with Service(quiet(database, keys__command=("/bin/cat", str(mounted)))) as service:
        service.create_ledger(ORIGIN, clock="data", unit_of_cost="", actor="users/ada")
        assert service.ledger().attestation.checkpoints.sign().size == 2


def test_a_service_does_not_start_where_the_command_fails(program: Program, tmp_path: Path) -> None:
    command = program("print('sealed', file=sys.stderr); sys.exit(2)")
    with pytest.raises(LedgerError, match="status 2, and said: sealed") as caught:
        Service(quiet(str(tmp_path / "l.sqlite"), keys__command=command))
    assert caught.value.reason is Reason.STORE_UNAVAILABLE
    assert not (tmp_path / "l.sqlite").exists()


def test_a_text_of_the_settings_shows_no_secret() -> None:
    settings = quiet(f"postgresql://ana:{KEY}@h/l", keys__secret=KEY)
    assert KEY not in repr(settings) + str(settings) + repr(settings.keys) + str(settings.storage)
    assert "postgresql://ana@h/l" in repr(settings)
    assert KEY not in repr(KeySettings(secret=KEY))


def test_a_refusal_of_a_section_repeats_nothing_of_it() -> None:
    with pytest.raises(ValidationError, match="secret") as refused:
        KeySettings.model_validate({"secret": [KEY]})
    assert KEY[:8] not in str(refused.value)  # pydantic shows the ends of a long value
