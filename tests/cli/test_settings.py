"""Settings come from where they should, strays are refused by name, and all are documented.

Method: set one thing at a time in file and environment and read what is in force.
"""

import json
import traceback
from operator import attrgetter
from pathlib import Path

import pytest

from ledger.api.listening import DEFAULT_ADDRESS
from ledger.setting_sections import Settings
from ledger.settings import SettingsError, documented, load, refuse_strays, secret_variables


def test_without_anything_the_defaults_hold() -> None:
    assert load() == Settings()
    assert load().server.address == DEFAULT_ADDRESS


def test_the_environment_counts_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "ledger.toml"
    file.write_text('[server]\naddress = "127.0.0.1:1"\n[client]\nactor = "services/file"\n')
    monkeypatch.setenv("LEDGER_SERVER__ADDRESS", "127.0.0.1:2")
    monkeypatch.setenv("LEDGER_CONFIG", str(file))
    found = load()
    assert found.server.address == "127.0.0.1:2"
    assert found.client.actor == "services/file"
    assert load(file) == found


PROVIDER = {
    "issuer": "https://id.example",
    "audience": "ledger",
    "keys": "https://id.example/keys",
}
SUBSCRIBER = {"name": "one", "kind": "command", "types": ["model.*"], "command": ["/bin/tee"]}


def _another(default: object) -> str:
    """Return the text of another value than the default, of its type."""
    if isinstance(default, bool):
        return str(not default).lower()
    return "7" if isinstance(default, int | float) else "changed"


@pytest.mark.parametrize(("variable", "path"), [(v, p) for v, p, _ in documented()])
def test_every_setting_can_be_set_in_the_environment(
    variable: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = attrgetter(path)
    name = path.rpartition(".")[2]
    stated = {
        "level": "debug",
        "form": "json",
        "deadline_seconds": "2.5",
        "seconds": "2.5",
        "actors": '["users/changed"]',
        "command": '["/bin/changed"]',
        "recorded": '["exports"]',
        "providers": json.dumps([PROVIDER]),
        "hosts": '["hooks.example"]',
        "subscribers": json.dumps([SUBSCRIBER]),
    }.get(name) or _another(value(Settings()))
    monkeypatch.setenv(variable, stated)
    assert value(load()) != value(Settings())


@pytest.mark.parametrize(
    ("stray", "meant"),
    [
        ("LEDGER_SERVER__ADRESS", "LEDGER_SERVER__ADDRESS"),
        ("LEDGER_STORAGE__DATABSE", "LEDGER_STORAGE__DATABASE"),
        ("LEDGER_SERVERS__ADDRESS", "LEDGER_SERVER__ADDRESS"),
        ("LEDGER_SERVER__TLS__CERTIFICAT", "LEDGER_SERVER__TLS__CERTIFICATE"),
        ("LEDGER_SERVER__TLS_KEY", "LEDGER_SERVER__TLS__KEY"),
    ],
)
def test_a_stray_is_refused_with_what_was_meant(stray: str, meant: str) -> None:
    with pytest.raises(SettingsError, match=rf"{stray} \(did you mean {meant}\?\)"):
        refuse_strays({stray: "x", "PATH": "x"})


def test_a_section_within_a_section_has_no_variable_of_its_own() -> None:
    with pytest.raises(SettingsError, match="Nothing reads LEDGER_SERVER__TLS"):
        refuse_strays({"LEDGER_SERVER__TLS": "{}"})


def test_a_setting_that_is_near_none_suggests_none() -> None:
    with pytest.raises(SettingsError, match="LEDGER_SERVER__LISTEN") as refused:
        refuse_strays({"LEDGER_SERVER__LISTEN": "x"})
    assert "did you mean" not in str(refused.value)


def test_variables_of_others_are_no_strays() -> None:
    refuse_strays({"LEDGER_VECTORS": "x", "LEDGER_CONFIG": "x", "LEDGER_URL": "x", "HOME": "x"})


KUBERNETES = {
    "LEDGER_PORT": "tcp://192.0.2.5:50051",
    "LEDGER_PORT_50051_TCP": "tcp://192.0.2.5:50051",
    "LEDGER_PORT_50051_TCP_PORT": "50051",
    "LEDGER_SERVICE_HOST": "192.0.2.5",
    "LEDGER_SERVICE_PORT": "50051",
    "LEDGER_SERVICE_PORT_GRPC": "50051",
}


@pytest.mark.parametrize(
    "others",
    [
        KUBERNETES,
        {"LEDGER_FILE": "hledger.journal"},
        {"LEDGER_LOG": "x"},
        {"LEDGER_SERVER": "{}"},
        {"LEDGER_APP__KEY": "x"},
    ],
    ids=["Kubernetes", "hledger", "a section's name", "a section as JSON", "another's section"],
)
def test_what_other_programs_put_under_the_prefix_is_left_alone(
    others: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in others.items():
        monkeypatch.setenv(name, text)
    assert load() == Settings()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[server]\nadress = "x"', "server.adress.*did you mean server.address"),
        ('[server.tls]\nkeys = "x"', "server.tls.keys.*did you mean server.tls.key"),
        ("[client]\ndeadline_seconds = 0", "client.deadline_seconds"),
        ('[log]\nlevel = "loud"', "log.level"),
        ('[operators]\nactors = ["ops"]', "operators.actors.*'ops' can never call"),
        ('[erasure]\nactors = ["system/serve"]', "erasure.actors.*'system/serve' can never call"),
        ("nonsense", "is not TOML"),
    ],
)
def test_a_bad_file_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "ledger.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=said):
        load(file)


@pytest.mark.parametrize("name", ["LEDGER_OPERATORS__ACTORS", "LEDGER_ERASURE__ACTORS"])
def test_a_list_that_is_no_json_is_refused_by_its_own_name(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEDGER_OPERATORS__ACTORS", '["users/ops"]')
    monkeypatch.setenv(name, "users/ana,users/bo")
    with pytest.raises(SettingsError, match=f"cannot be used: {name}. Lists are written as JSON"):
        load()


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load(tmp_path / "none.toml")


def test_every_setting_says_what_it_is_for() -> None:
    assert all(field.description for _, _, field in documented())


# ---- secrets -------------------------------------------------------------------------------------

SECRET = "5ec7e7" * 10 + "5ec7"
WITH_SECRETS = {
    f'[keys]\nsecret = "{SECRET}"': "keys.secret",
    f'[storage]\ndatabase = "postgresql://ana:{SECRET}@h/l"': "storage.database",
    f'[storage]\nprojections = "postgresql://h/l?user=a&password={SECRET}"': "storage.projections",
}


@pytest.mark.parametrize("text", WITH_SECRETS)
def test_a_file_with_a_secret_is_refused_where_another_user_may_read_it(
    tmp_path: Path, text: str
) -> None:
    file = tmp_path / "ledger.toml"
    file.touch(mode=0o600)
    file.write_text(text)
    load(file)
    file.chmod(0o644)
    with pytest.raises(SettingsError, match=f"holds a secret, {WITH_SECRETS[text]}") as refused:
        load(file)
    assert SECRET not in str(refused.value)
    assert f"chmod 600 {file}" in str(refused.value)


def test_a_file_without_a_secret_may_be_read_by_all(tmp_path: Path) -> None:
    file = tmp_path / "ledger.toml"
    file.write_text('[keys]\nfile = "a.key"\n[storage]\ndatabase = "postgresql://ana@h/l"')
    file.chmod(0o644)
    assert load(file).keys.file == "a.key"


WRONG = {
    f"[keys]\nsecret = ['{SECRET}']": "keys.secret",
    f"[keys]\nsecert = '{SECRET}'": "keys.secert",
    f"[keys]\nsecret = {SECRET}": "not TOML",
    f"[keys]\nsecret = '{SECRET}": "not TOML",
    f"[keys]\nsecret = '{SECRET}'\nsecret = '{SECRET}'": "not TOML",
    f"keys = '{SECRET}'": "keys",
    f"[log]\nlevel = '{SECRET}'": "log.level",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_cannot_be_read_is_refused_without_a_word_of_it(tmp_path: Path, text: str) -> None:
    file = tmp_path / "ledger.toml"
    file.touch(mode=0o600)
    file.write_text(text)
    with pytest.raises(SettingsError, match=WRONG[text]) as refused:
        load(file)
    assert SECRET not in "".join(traceback.format_exception(refused.value))


def test_variables_with_secrets_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    assert secret_variables() == []
    stated = {
        "LEDGER_KEYS__SECRET": SECRET,
        "ledger_storage__database": f"postgresql://ana:{SECRET}@h/l",
        "LEDGER_STORAGE__PROJECTIONS": "postgresql://ana@h/l",
        "LEDGER_KEYS__FILE": "a.key",
        "PGPASSWORD": SECRET,
        "OTHER__PASSWORD": SECRET,
    }
    for name, text in stated.items():
        monkeypatch.setenv(name, text)
    assert secret_variables() == ["LEDGER_KEYS__SECRET", "PGPASSWORD", "ledger_storage__database"]
