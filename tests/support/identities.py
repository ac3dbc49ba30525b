"""Providers of identities that tests make: key pairs, tokens, certificates, and a server of keys.

Tokens are put together by hand where no library would make them: that is what forgers do.
"""

import base64
import hmac
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import NameOID
from jwt.algorithms import get_default_algorithms

from ledger.api.authentication.call_facts import CallFacts

ISSUER: Final = "https://id.example.com/realms/fleet"
AUDIENCE: Final = "decision-ledger"
NOW: Final = 1_800_000_000  # in seconds
ADDRESS: Final = "10.1.2.3"


def key_pair(name: str, kind: str = "RS256") -> Any:  # noqa: ANN401 - a private key of any type
    """Return the private key of a name, the same at each call and for all algorithms of RSA."""
    return _key_pair(name, "RSA" if kind[:2] in {"RS", "PS"} else kind)


@cache
def _key_pair(name: str, kind: str) -> Any:  # noqa: ANN401 - as above
    if kind == "RSA":
        return rsa.generate_private_key(65537, 1024 if name == "short" else 2048)
    if kind == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    curves = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
    return ec.generate_private_key(curves[kind])


def public_jwk(name: str, kind: str = "RS256", **changes: object) -> dict[str, Any]:
    """Return the public half of a key as a JWKS lists it, its name being its id."""
    algorithm: Any = get_default_algorithms()[kind]
    jwk: dict[str, Any] = algorithm.to_jwk(key_pair(name, kind).public_key(), as_dict=True)
    return {**jwk, "kid": name, "use": "sig", "key_ops": ["verify"], **changes}


def key_set(*keys: Mapping[str, Any]) -> bytes:
    """Return a JWKS."""
    return json.dumps({"keys": keys}).encode()


def claims(**changes: object) -> dict[str, Any]:
    """Return the claims of a token that counts; None takes one away."""
    stated = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "ana",
        "iat": NOW - 60,
        "exp": NOW + 600,
        **changes,
    }
    return {name: value for name, value in stated.items() if value is not None}


def token(
    stated: Mapping[str, Any] | bytes | None = None,
    *,
    key: str = "one",
    kind: str = "RS256",
    **header: object,
) -> str:
    """Return a token, signed by a key of that name; None takes a header away."""
    full = {"alg": kind, "typ": "JWT", "kid": key, **header}
    head = json.dumps({name: value for name, value in full.items() if value is not None}).encode()
    body = stated if isinstance(stated, bytes) else json.dumps(stated or claims()).encode()
    return signed(head, body, kind=kind, private=key_pair(key, kind))


def signed(head: bytes, body: bytes, *, kind: str, private: Any) -> str:  # noqa: ANN401 - any key
    """Return a token of exactly these bytes."""
    text = f"{segment(head)}.{segment(body)}"
    algorithm: Any = get_default_algorithms()[kind]
    return f"{text}.{segment(algorithm.sign(text.encode(), private))}"


def unsigned(name: str = "none") -> str:
    """Return a token without a signature."""
    head = json.dumps({"alg": name, "kid": "one"}).encode()
    return f"{segment(head)}.{segment(json.dumps(claims()).encode())}."


def by_secret(
    kind: str, secret: bytes, stated: Mapping[str, Any] | None = None, kid: str = "one"
) -> str:
    """Return a token that is signed by a secret, such as the text of a public key."""
    head = json.dumps({"alg": kind, "kid": kid}).encode()
    text = f"{segment(head)}.{segment(json.dumps(stated or claims()).encode())}"
    return f"{text}.{segment(hmac.new(secret, text.encode(), f'sha{kind[2:]}').digest())}"


def public_pem(name: str) -> bytes:
    """Return the public half of a key as most programs write it."""
    public = key_pair(name).public_key()
    pem: bytes = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem


def segment(data: bytes) -> str:
    """Return bytes as a part of a token."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def call(
    *values: str | bytes,
    peer: str = f"ipv4:{ADDRESS}:40123",
    certificate: bytes | None = None,
    actor: str | None = None,
    is_patient: bool = False,
) -> CallFacts:
    """Return the facts of a call with these values of `authorization`."""
    metadata: list[tuple[str, str | bytes]] = [("user-agent", "test")]
    metadata += [("authorization", value) for value in values]
    if actor is not None:
        metadata.append(("ledger-actor", actor))
    tls = {"x509_common_name": [b"users/admin"], "x509_pem_cert": [certificate or b""]}
    return CallFacts(peer, metadata, tls if certificate else {}, is_patient)


def bearing(text: str, **changes: Any) -> CallFacts:  # noqa: ANN401 - as `call`
    """Return the facts of a call with a bearer token."""
    return call(f"Bearer {text}", **changes)


def certificate(
    *names: x509.GeneralName,
    common_name: str = "users/admin",
    begins: int = NOW - 60,
    hours: int = 1,
) -> bytes:
    """Return a certificate with these alternative names, signed by itself, as PEM."""
    key = key_pair("certificate", "ES256")
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    start = datetime.fromtimestamp(begins, UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(hours=hours))
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def certificate_key() -> bytes:
    """Return the private key of every certificate here, as PEM."""
    private: bytes = key_pair("certificate", "ES256").private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    return private


Answer = Callable[[BaseHTTPRequestHandler], None]


class KeyServer:
    """A provider's web server on loopback, whose answer a test sets."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked = 0
        self.url = ""


def answering(
    data: bytes, status: int = 200, *, length: int | None = None, location: str = ""
) -> Answer:
    """Return an answer of these bytes, which may state another length."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(data) if length is None else length))
        handler.send_header("Location", location)
        handler.end_headers()
        handler.wfile.write(data)

    return answer


@contextmanager
def key_server(answer: Answer, tls: ssl.SSLContext | None = None) -> Iterator[KeyServer]:
    """Serve keys on a port of the system's choice."""
    served = KeyServer(answer)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked += 1
            served.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass  # a client that has had enough is gone, which is what some tests are about

    with Quiet(("127.0.0.1", 0), Handler) as server:
        served.url = f"http://127.0.0.1:{server.server_address[1]}/keys"
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
            served.url = f"https://localhost:{server.server_address[1]}/keys"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()


def names(*pairs: Sequence[object]) -> bytes:
    """Return a JSON object with these names, one of which may occur twice."""
    return ("{" + ",".join(f"{json.dumps(k)}:{json.dumps(v)}" for k, v in pairs) + "}").encode()
