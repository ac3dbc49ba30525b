"""A token that a ledger issues has one spelling, and its secret is on no record.

Method: tokens from known bytes, each single change of one, and the comparison with what is kept.
"""

import base64
import hashlib

import pytest

from ledger.authority.tokens import is_secret_of, make_token, parse_token

RANDOMNESS = bytes(range(40))


def test_a_token_says_its_id_and_carries_its_secret() -> None:
    made = make_token(RANDOMNESS)
    secret = base64.urlsafe_b64encode(RANDOMNESS[8:]).decode().rstrip("=")
    assert made.text == f"dlt_0001020304050607_{secret}"
    assert made.id == "0001020304050607"
    assert made.digest == hashlib.sha256(RANDOMNESS[8:]).hexdigest()


def test_what_is_printed_of_a_token_holds_no_secret() -> None:
    made = make_token(RANDOMNESS)
    assert made.text[21:] not in repr(made)
    assert made.text[21:] not in repr(parse_token(made.text))


def test_a_presented_token_has_the_fingerprint_that_is_on_record() -> None:
    made = make_token(RANDOMNESS)
    presented = parse_token(made.text)
    assert (presented.id, presented.fingerprint) == (made.id, made.digest)
    assert is_secret_of(presented.fingerprint, made.digest)


def test_another_secret_and_an_unknown_id_are_refused_alike() -> None:
    made = make_token(RANDOMNESS)
    other = parse_token(make_token(RANDOMNESS[::-1]).text)
    assert not is_secret_of(other.fingerprint, made.digest)
    assert not is_secret_of(other.fingerprint, None)
    assert not is_secret_of("0" * 64, None)


def test_no_other_spelling_of_a_token_is_one() -> None:
    text = make_token(RANDOMNESS).text
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    spellings = {
        text[:-1],
        f"{text}=",
        f" {text}",
        f"{text}\n",
        text.upper(),
        text.replace("dlt_", "DLT_"),
        text.replace("_", "-", 1),
        f"dlt_{'g' * 16}{text[20:]}",
        f"dlt_{'0' * 15}{text[20:]}",
        text.replace("0", "\N{FULLWIDTH DIGIT ZERO}", 1),
        *(f"{text[:-1]}{each}" for each in last if last.index(each) % 4),
    }
    for spelling in spellings:
        with pytest.raises(ValueError, match="dlt_ID_SECRET") as caught:
            parse_token(spelling)
        assert text[21:] not in str(caught.value)
