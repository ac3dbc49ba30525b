"""A CA of one's own with certificates of server and callers, for trying TLS out.

Not for more: the CA's key lies unencrypted beside the certificates, nothing is revoked, and all of
it ends after 90 days.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ledger.certificate_files import read_identity, refuse_outdated
from ledger.clock import Clock
from ledger.events.values import ACTOR
from ledger.operations.failures import MisuseError
from ledger.private import make_folder, write_whole

DAYS: Final = 90
OWN_NAMES: Final = ("localhost", "127.0.0.1", "::1")
TRUST_DOMAIN: Final = "decision-ledger.trial"

_MEANT_FOR: Final = "for trying out only"
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256
_OVERLAP: Final = timedelta(minutes=5)  # clocks differ a little


@dataclass(frozen=True, slots=True)
class TrialCertificates:
    """The files: of the CA, of the server, and by actor of the callers."""

    ca: Path
    certificate: Path
    key: Path
    clients: dict[str, tuple[Path, Path]]


@dataclass(frozen=True, slots=True)
class _Pair:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def make_trial_certificates(
    folder: Path,
    clock: Clock,
    *,
    names: Sequence[str] = (),
    clients: Sequence[str] = (),
    days: int = DAYS,
) -> TrialCertificates:
    """Make what is missing in a folder: CA, server, callers. Those that are named are made again.

    A CA that is there goes on to issue, so that what trusts it need not be told again. `names` are
    further names of the server, `clients` actors that get certificates.
    """
    for actor in clients:
        if ACTOR.fullmatch(actor) is None or actor.startswith("system/"):
            raise MisuseError(
                f"--client: {actor[:80]!r} is not the name of a caller.",
                "Write users/NAME or services/NAME.",
            )
    hosts = [_general(one) for one in (*OWN_NAMES, *names)]
    make_folder(folder)
    maker = _Maker(folder, clock, timedelta(days=days))
    ca = maker.authority()
    if names or not (folder / "server.pem").exists():
        names_of_server = x509.SubjectAlternativeName(hosts)
        maker.issue("server", ca, names_of_server, ExtendedKeyUsageOID.SERVER_AUTH)
    made = {}
    for actor in clients:
        name = actor.replace("/", "-")
        uri = x509.UniformResourceIdentifier(f"spiffe://{TRUST_DOMAIN}/{actor}")
        maker.issue(name, ca, x509.SubjectAlternativeName([uri]), ExtendedKeyUsageOID.CLIENT_AUTH)
        made[actor] = folder / f"{name}.pem", folder / f"{name}.key"
    return TrialCertificates(folder / "ca.pem", folder / "server.pem", folder / "server.key", made)


class _Maker:
    """Makes keys and certificates in one folder."""

    def __init__(self, folder: Path, clock: Clock, lasts: timedelta) -> None:
        self._folder = folder
        self._clock = clock
        self._now = datetime.fromtimestamp(clock.now_micros() / 1_000_000, UTC)
        self._lasts = lasts

    def authority(self) -> _Pair:
        """Return the CA of the folder; one is made where there is none."""
        certificate, key = self._folder / "ca.pem", self._folder / "ca.key"
        if certificate.exists() and key.exists():
            known = read_identity(certificate, key)
            refuse_outdated(certificate, known.leaf, self._clock.now_micros())
            secret = serialization.load_pem_private_key(known.key, password=None)
            if not isinstance(secret, ec.EllipticCurvePrivateKey):
                raise MisuseError(f"{key} was not made by this command.", "Name another folder.")
            return _Pair(known.leaf, secret)
        key_made = self._key()
        name = _name("decision-ledger trial CA")
        made = (
            self._builder(name, name, key_made.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(is_ca=True), critical=True)
            .sign(key_made, hashes.SHA256())
        )
        self._write("ca", _Pair(made, key_made))
        return _Pair(made, key_made)

    def issue(
        self,
        name: str,
        ca: _Pair,
        names: x509.SubjectAlternativeName,
        purpose: x509.ObjectIdentifier,
    ) -> None:
        """Write a certificate of the CA and its key under a name."""
        key = self._key()
        by = ca.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        made = (
            self._builder(_name(name), ca.certificate.subject, key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(is_ca=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(names, critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(by), critical=False
            )
            .sign(ca.key, hashes.SHA256())
        )
        self._write(name, _Pair(made, key))

    def _builder(
        self, subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(int.from_bytes(self._clock.random_bytes(16)[-15:], "big") + 1)
            .not_valid_before(self._now - _OVERLAP)
            .not_valid_after(self._now + self._lasts)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )

    def _key(self) -> ec.EllipticCurvePrivateKey:
        value = int.from_bytes(self._clock.random_bytes(40), "big") % (_ORDER - 1) + 1
        return ec.derive_private_key(value, ec.SECP256R1())

    def _write(self, name: str, pair: _Pair) -> None:
        """Write the key first: a server that looks in between keeps what it has."""
        secret = pair.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        write_whole(self._folder / f"{name}.key", secret)
        public = pair.certificate.public_bytes(serialization.Encoding.PEM)
        write_whole(self._folder / f"{name}.pem", public)


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        pass
    try:
        return x509.DNSName(name)
    except ValueError:
        raise MisuseError(
            f"--name: {name[:80]!r} is no name of a host.", "Write it in ASCII, or an IP address."
        ) from None


def _name(name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, _MEANT_FOR),
            x509.NameAttribute(NameOID.COMMON_NAME, name[:64]),
        ]
    )


def _usage(*, is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        encipher_only=False,
        decipher_only=False,
    )
