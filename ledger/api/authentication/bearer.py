"""The bearer token in a call's metadata: found, measured and taken out, not yet believed.

RFC 6750: `authorization: Bearer TOKEN`, where the scheme is in any case and spaces follow it.
"""

import re
from typing import Final

from ledger.api.authentication import refusals
from ledger.api.authentication.call_facts import CallFacts
from ledger.limits import BEARER_BYTES_MAX

AUTHORIZATION: Final = "authorization"

_FORM: Final = re.compile(r" *[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/-]+=*) *", re.ASCII)
_SPARE: Final = 32  # the scheme, and spaces around it


def bearer_of(facts: CallFacts) -> str | None:
    """Return the token that a call bears; None where it has no `authorization` at all.

    TOKEN_TOO_LARGE before anything else is looked at; CREDENTIAL_INVALID for several values, for
    binary ones, for another scheme and for bytes that no token has.
    """
    values = facts.values_of(AUTHORIZATION)
    binary = facts.values_of(f"{AUTHORIZATION}-bin")
    largest = max(map(len, (*values, *binary)), default=0)
    if largest > BEARER_BYTES_MAX + _SPARE:
        raise refusals.too_large(largest)
    if binary:
        raise refusals.invalid(
            "`authorization-bin` is binary metadata", "Send the token as text in `authorization`."
        )
    if not values:
        return None
    if len(values) > 1:
        raise refusals.invalid(
            f"the metadata has {len(values)} values of `authorization`",
            "Send one; if you do, a proxy on the way adds one.",
        )
    [value] = values
    found = _FORM.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise refusals.invalid(
            "`authorization` is not of the form `Bearer TOKEN`",
            "Write the word Bearer, a space and the token, and nothing else.",
        )
    if len(found[1]) > BEARER_BYTES_MAX:
        raise refusals.too_large(len(found[1]))
    return found[1]
