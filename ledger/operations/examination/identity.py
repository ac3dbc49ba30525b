"""The check of `doctor` on how callers prove who they are: who is believed, whose keys are read."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ledger.operations.examination import Check
from ledger.reading import fault

if TYPE_CHECKING:
    from ledger.setting_sections import AuthenticationSettings, ProviderSettings


def checks(settings: "AuthenticationSettings") -> Iterator[Check]:
    """Yield whether names are believed, and for each provider whether its keys can be read."""
    if settings.development:
        yield Check(
            "identity",
            "warn",
            "authentication.development: callers on loopback are believed to be whom they name",
            "Turn it off where anything else than a trial runs.",
        )
    else:
        yield Check("identity", "ok", "where an administrator is named, callers prove who they are")
    for provider in settings.providers:
        yield _keys(provider)


def _keys(provider: "ProviderSettings") -> Check:
    from ledger.api.authentication.key_set import parse_keys
    from ledger.api.authentication.provider_keys import read_source

    name = f"keys of {provider.issuer}"
    try:
        problem = parse_keys(read_source(provider.keys, provider.ca), provider.algorithms).problem
    except (OSError, ValueError) as error:
        problem = fault(error)
    if not problem:
        return Check(name, "ok", f"can be read at {provider.keys}")
    return Check(
        name,
        "fail",
        f"{provider.keys}: {problem}",
        "Correct `keys` or `ca` of the provider, or ask its operator.",
    )
