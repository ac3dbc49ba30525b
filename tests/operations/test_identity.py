"""`doctor` says which providers' keys cannot be read, and where callers are believed.

Method: settings with providers of each state; their keys are files, or behind a URL on loopback.
"""

from pathlib import Path

from ledger.operations.examination.identity import checks
from ledger.setting_sections import AuthenticationSettings, ProviderSettings
from tests.support.identities import AUDIENCE, ISSUER, answering, key_server, key_set, public_jwk


def _found(keys: str) -> tuple[str, str]:
    provider = ProviderSettings(issuer=ISSUER, audience=AUDIENCE, keys=keys)
    [identity, found] = checks(AuthenticationSettings(providers=(provider,)))
    assert (identity.name, identity.state) == ("identity", "ok")
    assert found.name == f"keys of {ISSUER}"
    assert (found.state == "ok") == (not found.remedy)
    return found.state, found.found


def test_doctor_reads_the_keys_of_each_provider(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    assert _found(str(path)) == ("fail", f"{path}: No such file or directory")
    path.write_bytes(key_set())
    assert _found(str(path))[0] == "fail"
    path.write_bytes(key_set(public_jwk("one")))
    assert _found(str(path)) == ("ok", f"can be read at {path}")
    with key_server(answering(key_set(public_jwk("one")))) as server:
        assert _found(server.url)[0] == "ok"
        server.answer = answering(b"", 503)
        state, found = _found(server.url)
    assert state == "fail"
    assert "HTTP status 503" in found


def test_doctor_warns_where_callers_are_believed() -> None:
    [found] = checks(AuthenticationSettings(development=True))
    assert (found.name, found.state) == ("identity", "warn")
    assert "authentication.development" in found.found
