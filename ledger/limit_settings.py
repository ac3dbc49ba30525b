"""The section of the settings that says how much a caller may send."""

from typing import Annotated

from pydantic import Field

from ledger.section import Section

_PerSecond = Annotated[int, Field(ge=1, le=100_000_000)]
_MegabytesPerSecond = Annotated[float, Field(ge=0.001, le=1_000_000)]


class LimitSettings(Section):
    """How much a caller may send before it is told to come back later."""

    calls_per_second: _PerSecond = Field(
        default=10_000,
        description="Calls of one actor on one ledger; a batch of a stream is a call too. Two "
        "seconds' worth may come at once, here and below.",
    )
    observations_per_second: _PerSecond = Field(
        default=500_000, description="Observations of one actor on one ledger."
    )
    megabytes_per_second: _MegabytesPerSecond = Field(
        default=64.0, description="Size of the requests of one actor on one ledger."
    )
    streams: int = Field(
        default=192,
        ge=0,
        le=100_000,
        description="Streams of observations that one actor has open at once on one ledger; "
        "likewise watches and long calls. Never more than three quarters of what the server takes.",
    )
    waits: int = Field(
        default=768,
        ge=0,
        le=100_000,
        description="Reads of one actor on one ledger that wait for their `min_position` at once.",
    )
    address_calls_per_second: _PerSecond = Field(
        default=40_000,
        description="Calls from one address (of IPv6: one /64 network), of all actors; counted "
        "before a message is read. Behind a proxy all clients have its address.",
    )
    address_megabytes_per_second: _MegabytesPerSecond = Field(
        default=256.0, description="Size of the requests from one address."
    )
    connections: int = Field(
        default=800,
        ge=1,
        le=1_000_000,
        description="Connections at once, idle ones included; a further one is closed. Fewer than "
        "the files that the process may open (`ulimit -n`).",
    )
    address_connections: int = Field(
        default=256,
        ge=1,
        le=100_000,
        description="Connections from one address that have calls open at once.",
    )
