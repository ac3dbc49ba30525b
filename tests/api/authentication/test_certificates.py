"""A client certificate proves one name, and only one that its issuer has vouched for.

Method: certificates with each mixture of alternative names, all of them with a common name that
would be an administrator's.
"""

import hashlib
import ssl
from ipaddress import ip_address

import pytest
from cryptography.x509 import (
    DNSName,
    GeneralName,
    IPAddress,
    RFC822Name,
    UniformResourceIdentifier,
)

from ledger.api.authentication.certificates import certificate_of
from ledger.api.authentication.credential import Credential
from ledger.errors import LedgerError, Reason
from tests.support.identities import ADDRESS, NOW, call, certificate

HOUR = 3_600
SPIFFE = "spiffe://prod.example.com/ns/fleet/sa/monitor-7"


def _uri(text: str) -> GeneralName:
    return UniformResourceIdentifier(text)


def _found(*names: GeneralName, now: int = NOW) -> Credential | None:
    return certificate_of(call(certificate=certificate(*names)), now * 1_000_000)


@pytest.mark.parametrize(
    ("names", "subject"),
    [
        ([_uri(SPIFFE)], SPIFFE),
        ([_uri(SPIFFE), DNSName("a.example"), RFC822Name("a@b.example")], SPIFFE),
        ([DNSName("Monitor-7.Example.com")], "dns:monitor-7.example.com"),
        ([DNSName("a.example"), RFC822Name("a@b.example")], "dns:a.example"),
        ([DNSName("a.example"), _uri("https://a.example")], "dns:a.example"),
        ([RFC822Name("Ana@Example.com")], "email:Ana@example.com"),
    ],
)
def test_the_subject_is_the_spiffe_id_else_the_dns_name_else_the_address(
    names: list[GeneralName], subject: str
) -> None:
    found = _found(*names)
    assert found is not None
    assert (found.method, found.issuer, found.subject) == ("certificate", "", subject)


@pytest.mark.parametrize(
    "names",
    [
        [],
        [IPAddress(ip_address("10.1.2.3"))],
        [_uri("https://a.example/users/admin")],
        [_uri(SPIFFE), _uri("spiffe://prod.example.com/ns/fleet/sa/admin")],
        [_uri(SPIFFE), _uri("https://a.example")],
        [_uri("spiffe://prod.example.com")],
        [_uri("spiffe://Prod.example.com/a")],
        [_uri("SPIFFE://prod.example.com/a")],
        [_uri("spiffe://prod.example.com/a/../b")],
        [_uri("spiffe://prod.example.com/a//b")],
        [_uri("spiffe://prod.example.com/a?b")],
        [_uri("spiffe://user@prod.example.com/a")],
        [_uri("spiffe://prod.example.com/" + "a" * 255)],
        [DNSName("a.example"), DNSName("b.example")],
        [DNSName("*.example")],
        [DNSName("a..example")],
        [RFC822Name("a@b.example"), RFC822Name("c@b.example")],
        [RFC822Name("a b@b.example")],
    ],
)
def test_a_certificate_without_exactly_one_such_name_is_refused(names: list[GeneralName]) -> None:
    with pytest.raises(LedgerError) as caught:
        _found(*names)
    assert caught.value.reason is Reason.CREDENTIAL_INVALID
    assert "admin" not in str(caught.value), "the common name is never looked at"


def test_several_names_of_the_kind_that_counts_are_told_with_their_number() -> None:
    with pytest.raises(LedgerError, match="has 2 DNS names; it must have one"):
        _found(DNSName("a.example"), DNSName("b.example"))
    with pytest.raises(LedgerError, match="has 2 URIs, one of them a SPIFFE id; it must have one"):
        _found(_uri(SPIFFE), _uri("https://a.example"))


def test_a_certificate_counts_from_its_first_second_to_its_last() -> None:
    begins, ends = NOW - 60, NOW - 60 + HOUR
    first, last = _found(DNSName("a.example"), now=begins), _found(DNSName("a.example"), now=ends)
    assert first is not None
    assert last is not None
    assert last.expires_at == (ends + 1) * 1_000_000
    for now in (begins - 1, ends + 1):
        with pytest.raises(LedgerError) as caught:
            _found(DNSName("a.example"), now=now)
        assert caught.value.reason is Reason.CREDENTIAL_EXPIRED


def test_the_fingerprint_is_the_sha256_of_the_certificate_itself() -> None:
    pem = certificate(DNSName("a.example"))
    found = certificate_of(call(certificate=pem), NOW * 1_000_000)
    assert found is not None
    assert found.fingerprint == hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.decode())).hexdigest()
    assert found.address == ADDRESS


def test_a_certificate_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(LedgerError) as caught:
        certificate_of(call(certificate=b"-----BEGIN CERTIFICATE-----\nAAAA\n"), NOW * 1_000_000)
    assert caught.value.reason is Reason.CREDENTIAL_INVALID


def test_a_call_without_a_certificate_has_none() -> None:
    assert certificate_of(call(), NOW * 1_000_000) is None
