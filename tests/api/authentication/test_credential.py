"""A credential says until when it counts and where it came from.

Method: the border of its expiry to the microsecond, and the names that gRPC gives to peers.
"""

import pytest

from ledger.api.authentication.credential import Credential, address_of, still_valid


def _until(expires_at: int | None) -> Credential:
    return Credential("jwt", "https://id.example", "ana", "ab" * 32, "10.1.2.3", expires_at)


def test_a_credential_counts_until_the_microsecond_before_its_expiry() -> None:
    assert still_valid(_until(1_000), 999)
    assert not still_valid(_until(1_000), 1_000)


def test_a_credential_without_an_expiry_does_not_end() -> None:
    assert still_valid(_until(None), 1 << 62)


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:10.1.2.3:50051", "10.1.2.3"),
        ("ipv6:[::1]:50051", "::1"),
        ("ipv6:%5B::1%5D:50051", "::1"),
        ("ipv6:%5Bfe80::1%25eth0%5D:9", "fe80::1%eth0"),
        ("unix:", "unix"),
        ("unix:/run/ledger.sock", "unix"),
        ("unix-abstract:ledger", "unix"),
        ("vsock:3:1024", "vsock:3:1024"),
        ("", ""),
    ],
)
def test_an_address_is_the_peers_host_without_its_port(peer: str, address: str) -> None:
    assert address_of(peer) == address
