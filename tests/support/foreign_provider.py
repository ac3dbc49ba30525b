"""An OpenID provider that others wrote (`oidc-provider-mock`), as a process of its own on loopback.

A process, because its libraries warn of each other, and warnings are errors here. It ends with its
standard input.
"""

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Final
from urllib.parse import parse_qs, urlencode, urlsplit

_PROGRAM: Final = """
import sys
from datetime import timedelta
from oidc_provider_mock import run_server_in_thread
age = timedelta(seconds=int(sys.argv[1]))
with run_server_in_thread(access_token_max_age=age) as server:
    print(server.server_port, flush=True)
    sys.stdin.read()
"""
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}
_BACK: Final = "http://localhost/callback"


class ForeignProvider:
    """The provider: its issuer, where its keys are, and the tokens that it hands out."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.issuer = f"http://localhost:{port}"
        _, text = self._asked("GET", "/.well-known/openid-configuration")
        self.keys: str = json.loads(text)["jwks_uri"]

    def token(self, subject: str, audience: str) -> str:
        """Return the id token of a person who signed in to a client, by the code flow."""
        asked = urlencode(
            {
                "client_id": audience,
                "redirect_uri": _BACK,
                "response_type": "code",
                "scope": "openid",
            }
        )
        back, _ = self._asked("POST", f"/oauth2/authorize?{asked}", {"sub": subject})
        [code] = parse_qs(urlsplit(back).query)["code"]
        grant = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": _BACK,
            "client_id": audience,
            "client_secret": "any",
        }
        _, text = self._asked("POST", "/oauth2/token", grant)
        token: str = json.loads(text)["id_token"]
        return token

    def _asked(self, method: str, path: str, form: dict[str, str] | None = None) -> tuple[str, str]:
        """Return where an answer leads to, and its text."""
        with closing(http.client.HTTPConnection("localhost", self._port, timeout=60)) as connection:
            connection.request(method, path, urlencode(form or {}), _FORM)
            answer = connection.getresponse()
            text = answer.read().decode()
            assert answer.status < 400, text
            return answer.headers.get("Location", ""), text


@contextmanager
def foreign_provider(token_seconds: int = 3_600) -> Iterator[ForeignProvider]:
    """Run the provider, whose tokens are good for so long."""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", _PROGRAM, str(token_seconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "AUTHLIB_INSECURE_TRANSPORT": "1"},
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield ForeignProvider(int(process.stdout.readline()))
        finally:
            process.stdin.close()
