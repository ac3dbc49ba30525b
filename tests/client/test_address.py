"""Addresses of servers: goal: what people write is understood, or refused with what to write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.client import AsyncLedgerClient, LedgerClient
from ledger.client.target import address_of


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1", "127.0.0.1:50051"),
        ("localhost", "localhost:50051"),
        ("ledger.example.com:443", "ledger.example.com:443"),
        ("::1", "[::1]:50051"),
        ("[::1]", "[::1]:50051"),
        ("[fe80::1%eth0]:7", "[fe80::1%eth0]:7"),
        ("unix:/run/ledger.sock", "unix:/run/ledger.sock"),
        ("ledgers://localhost", "ledgers://localhost:50051"),
        ("ledgers://ledger.example.com:443", "ledgers://ledger.example.com:443"),
        ("ledger://::1", "ledger://[::1]:50051"),
        ("dns:///ledger.example.com:443", "dns:///ledger.example.com:443"),
    ],
)
def test_a_port_that_is_left_out_is_50051(text: str, address: str) -> None:
    assert address_of(text) == address
    assert address_of(address) == address


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("http://127.0.0.1:50051", "write HOST:PORT without http://"),
        ("https://ledger.example.com", "write HOST:PORT without https://"),
        ("grpc://localhost:50051", "without grpc://"),
        ("https://localhost:50051", "or ledgers://HOST:PORT for TLS"),
        ("ledgers://", "HOST:PORT"),
        ("ledgers://unix:/run/x", "HOST:PORT"),
        ("ledgers://ledger://x", "HOST:PORT"),
        ("localhost:0", "ports go from 1 to 65535"),
        ("localhost:99999", "ports go from 1 to 65535"),
        ("localhost:", "HOST:PORT"),
        ("localhost:http", "HOST:PORT"),
        ("localhost:50051/", "HOST:PORT"),
        ("a b", "HOST:PORT"),
        ("", "HOST:PORT"),
    ],
)
def test_what_is_no_address_is_refused_with_what_to_write(text: str, said: str) -> None:
    for make in (LedgerClient, AsyncLedgerClient):
        with pytest.raises(ValueError, match="server: ") as caught:
            make(text)
        assert said in str(caught.value)


@given(st.text())
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        assert address_of(address_of(text)) == address_of(text)
    except ValueError as error:
        assert str(error).startswith("server: ")  # noqa: PT017 - either is right
