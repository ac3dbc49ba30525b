"""Refusals of credentials: each with its reason, none with anything of what was presented."""

from ledger.errors import LedgerError, Reason
from ledger.limits import BEARER_BYTES_MAX


def unauthenticated() -> LedgerError:
    """Return the refusal of a call that presents nothing."""
    return LedgerError(
        Reason.UNAUTHENTICATED,
        "The call presents no credential, and this server does not believe names.",
        remedy="Present a client certificate, or `authorization: Bearer` with a token, such "
        "as one of `token issue`.",
    )


def invalid(fault: str, remedy: str = "Present it as its issuer gave it.") -> LedgerError:
    """Return the refusal of a credential that cannot be read, or does not verify."""
    return LedgerError(
        Reason.CREDENTIAL_INVALID, f"The credential is refused: {fault}.", remedy=remedy
    )


def too_large(size: int) -> LedgerError:
    """Return the refusal of a bearer token by its size; nothing else of it was looked at."""
    return LedgerError(
        Reason.TOKEN_TOO_LARGE,
        f"The bearer token has {size} bytes; at most {BEARER_BYTES_MAX} (8 KiB) are taken.",
        remedy="Ask the provider for a token with fewer claims, such as without groups.",
        metadata={"bytes": str(size), "bytes_max": str(BEARER_BYTES_MAX)},
    )


def expired(what: str) -> LedgerError:
    """Return the refusal of a credential that was valid once."""
    return LedgerError(
        Reason.CREDENTIAL_EXPIRED,
        f"The {what} has expired.",
        remedy="Get a fresh one from its issuer. If it is fresh, compare the clocks.",
    )


def not_yet_valid(what: str) -> LedgerError:
    """Return the refusal of a credential whose time has not come."""
    return LedgerError(
        Reason.CREDENTIAL_EXPIRED,
        f"The {what} is not valid yet.",
        remedy="Compare the clocks of its issuer and of this server.",
    )


def wrong_issuer() -> LedgerError:
    """Return the refusal of a token of a provider that was not set."""
    return LedgerError(
        Reason.TOKEN_ISSUER_WRONG,
        "The token names no issuer that this server trusts.",
        remedy="Use a token of a provider in the setting `authentication.providers`.",
    )


def wrong_audience() -> LedgerError:
    """Return the refusal of a token that is meant for another service."""
    return LedgerError(
        Reason.TOKEN_AUDIENCE_WRONG,
        "The token was issued for another audience than this server.",
        remedy="Ask the provider for a token with the audience that this server's operator set.",
    )


def refused_algorithm(shown: str) -> LedgerError:
    """Return the refusal of how a token is signed; `shown` is a name from our own list."""
    return LedgerError(
        Reason.TOKEN_ALGORITHM_REFUSED,
        f"The token's algorithm is refused: {shown}.",
        remedy="Have the provider sign with an algorithm that is set for it, such as RS256.",
        metadata={"algorithm": shown},
    )


def unknown_key(retry_after_seconds: float | None = None) -> LedgerError:
    """Return the refusal of a token whose key is not known; at the moment, if there is a pause."""
    if retry_after_seconds is None:
        return LedgerError(
            Reason.TOKEN_KEY_UNKNOWN,
            "The provider publishes no key that the token could be checked with.",
            remedy="Get a fresh token; if that fails too, have the server's operator run `doctor`, "
            "which reads the provider's keys.",
        )
    return LedgerError(
        Reason.TOKEN_KEY_UNKNOWN,
        "The token's key is not known, and the provider's keys cannot be read at the moment.",
        remedy="Try again after the pause; if that fails too, have the server's operator run "
        "`doctor`, which reads the provider's keys.",
        retry_after_seconds=retry_after_seconds,
    )
