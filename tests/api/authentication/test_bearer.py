"""A bearer token is found in a call's metadata, or refused by what is wrong with it.

Method: metadata as gRPC hands it over, honest and smuggled. A refusal repeats nothing of it.
"""

import pytest

from ledger.api.authentication.bearer import bearer_of
from ledger.api.authentication.call_facts import CallFacts
from ledger.errors import LedgerError, Reason
from tests.support.identities import call

TOKEN = "eyJhbGciOi.J9-_~+/.c2ln="
LIMIT = 8 * 1024


def test_a_call_without_authorization_bears_nothing() -> None:
    assert bearer_of(call()) is None


@pytest.mark.parametrize(
    "value", [f"Bearer {TOKEN}", f"bearer {TOKEN}", f"BEARER  {TOKEN}", f" Bearer {TOKEN}  "]
)
def test_the_scheme_is_in_any_case_and_spaces_do_not_matter(value: str) -> None:
    assert bearer_of(call(value)) == TOKEN


@pytest.mark.parametrize(
    "value",
    [
        "",
        TOKEN,
        "Bearer",
        "Bearer ",
        f"Bearer{TOKEN}",
        f"Bearer {TOKEN} {TOKEN}",
        f"Bearer {TOKEN},Bearer {TOKEN}",
        f"Bearer\t{TOKEN}",
        f"Bearer {TOKEN}\n",
        f"Bearer {TOKEN}\x00",
        f"Bearer \u00e9{TOKEN}",
        f"Bear\u212aer {TOKEN}",
        f"Basic {TOKEN}",
        f"Bearer ==={TOKEN}",
        f"Bearer {TOKEN}".encode(),
        b"Bearer \xff\xfe",
    ],
)
def test_any_other_value_is_refused_and_not_repeated(value: str | bytes) -> None:
    refusal = _refused(call(value))
    assert refusal.reason is Reason.CREDENTIAL_INVALID
    assert "eyJ" not in str(refusal)


def test_two_values_are_refused_even_where_they_are_alike() -> None:
    refusal = _refused(call(f"Bearer {TOKEN}", f"Bearer {TOKEN}"))
    assert refusal.reason is Reason.CREDENTIAL_INVALID
    assert "2 values" in refusal.message


def test_binary_metadata_is_refused_rather_than_passed_over() -> None:
    facts = CallFacts("ipv4:10.1.2.3:1", [("authorization-bin", TOKEN.encode())], {})
    assert _refused(facts).reason is Reason.CREDENTIAL_INVALID


def test_eight_kibibytes_are_taken_and_one_byte_more_is_not() -> None:
    assert bearer_of(call(f"Bearer {'a' * LIMIT}")) == "a" * LIMIT
    assert _refused(call(f"Bearer {'a' * (LIMIT + 1)}")).reason is Reason.TOKEN_TOO_LARGE


@pytest.mark.parametrize("value", ["a" * 100 * 1024, "Bearer " + " " * 100 * 1024 + TOKEN])
def test_size_is_looked_at_before_form_and_count(value: str) -> None:
    assert _refused(call(value, value)).reason is Reason.TOKEN_TOO_LARGE


def _refused(facts: CallFacts) -> LedgerError:
    with pytest.raises(LedgerError) as caught:
        bearer_of(facts)
    return caught.value
