"""The sections of the settings: what can be set, its type, default and meaning.

A part of the product is given its whole section. Where they come from is in `settings`.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ledger.events.values import ACTOR


class Section(BaseModel):
    """Settings that belong together: fixed once they are read, and no others."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ServerSettings(Section):
    """Where the service is, for the server and its clients."""

    address: str = Field(
        default="127.0.0.1:50051",
        description="Host and port that `serve` listens on and commands call; loopback only.",
    )


class StorageSettings(Section):
    """Where data lives."""

    database: str = Field(
        default="ledger.sqlite",
        description="The ledger: path of a SQLite file, or URL of a PostgreSQL database.",
    )
    projections: str = Field(
        default="",
        description="The read models, likewise; empty for a file (or tables) beside the ledger.",
    )
    accept_silent_loss: bool = Field(
        default=False,
        description="Consent to run on PostgreSQL with nothing outside the database that shows "
        "events lost in a fail-over.",
    )


class ServiceSettings(Section):
    """The work that runs beside the API."""

    evaluate: bool = Field(
        default=True, description="Whether this server scores models and decides by itself."
    )
    project: bool = Field(default=True, description="Whether this server keeps projections.")


class KeySettings(Section):
    """Which master key opens the signing keys, which the database holds encrypted."""

    file: str = Field(
        default="",
        description="File with the master key that encrypts signing keys; empty for one beside a "
        "SQLite file, made at first start.",
    )
    secret: str = Field(
        default="",
        repr=False,
        description="That key itself, 64 hexadecimal digits, instead of a file.",
    )


class CheckpointSettings(Section):
    """When tree heads are signed, and what they are held against."""

    seconds: float = Field(
        default=1.0,
        ge=0,
        le=86_400,
        description="An event is covered by a signed checkpoint within so many seconds; 0 to sign "
        "on demand only.",
    )
    published: str = Field(
        default="",
        description="Folder that `log publish` writes, or file with a checkpoint: the server does "
        "not start on a ledger that is behind it.",
    )
    policy: str = Field(
        default="",
        description="Policy file (tlog-policy) that names witnesses with their URLs: their "
        "cosignatures are collected.",
    )
    evidence: str = Field(
        default="",
        description="Folder for checkpoints that contradict the ledger; empty for one beside a "
        "SQLite file.",
    )


class SealSettings(Section):
    """How often all streams are sealed."""

    seconds: float = Field(
        default=3600.0,
        ge=0,
        le=31_536_000,
        description="All streams are sealed every so many seconds if something was recorded; 0 to "
        "seal on demand only.",
    )


def _can_call(actor: str) -> str:
    if actor.startswith("system/") or not ACTOR.fullmatch(actor):
        raise ValueError(f"{actor[:80]!r} can never call; write users/NAME or services/NAME")
    return actor


_Actor = Annotated[str, AfterValidator(_can_call)]


class ErasureSettings(Section):
    """The actors that may erase bodies."""

    actors: tuple[_Actor, ...] = Field(
        default=(),
        description='Actors that may erase bodies, as a list such as `["users/dpo"]`; no client if '
        "empty.",
    )


class OperatorSettings(Section):
    """The actors that may do what concerns every client."""

    actors: tuple[_Actor, ...] = Field(
        default=(),
        description="Actors that may rotate and revoke keys, create ledgers, confirm the clock, "
        "retire models, rebuild read models and delete exports, as a list such as "
        '`["users/ops"]`; no client if empty.',
    )


class RefusalSettings(Section):
    """Whether refused requests are counted on record."""

    seconds: float = Field(
        default=60.0,
        ge=0,
        le=86_400,
        description="Refused requests are recorded as counts every so many seconds; 0 for never.",
    )


class AccountSettings(Section):
    """Whether the server accounts on record for what it does by itself."""

    seconds: float = Field(
        default=3600.0,
        ge=0,
        le=86_400,
        description="The server accounts on record for what it recorded by itself, and how far it "
        "has evaluated, every so many seconds if anything was, and when it ends; 0 for never.",
    )


class ExportSettings(Section):
    """Where export bundles are made."""

    folder: str = Field(
        default="",
        description="Folder for export bundles; empty for one beside a SQLite file.",
    )


class ClientSettings(Section):
    """How commands call the service."""

    ledger: str = Field(
        default="", description="Origin of the ledger; empty for the server's first one."
    )
    actor: str = Field(
        default="",
        description="The actor that calls, as `users/NAME` or `services/NAME`; empty for "
        "`users/anonymous`.",
    )
    deadline_seconds: float = Field(
        default=10.0, gt=0, le=86_400, description="How long a call may take, with all attempts."
    )
    trust: str = Field(
        default="",
        description="File with the keys and checkpoints that commands remember; empty for one in "
        "the user's state folder.",
    )


class LogSettings(Section):
    """What `serve` says while it runs, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least severe line that is written."
    )
    form: Literal["auto", "json", "text"] = Field(
        default="auto", description="Form of a line; `auto` is text on a terminal, else JSON."
    )


class Settings(Section):
    """Everything that can be set, by section. A part of the product is given its whole section."""

    server: ServerSettings = Field(default_factory=ServerSettings)
    storage: StorageSettings = Field(default_factory=StorageSettings)
    service: ServiceSettings = Field(default_factory=ServiceSettings)
    keys: KeySettings = Field(default_factory=KeySettings)
    checkpoints: CheckpointSettings = Field(default_factory=CheckpointSettings)
    seals: SealSettings = Field(default_factory=SealSettings)
    erasure: ErasureSettings = Field(default_factory=ErasureSettings)
    operators: OperatorSettings = Field(default_factory=OperatorSettings)
    refusals: RefusalSettings = Field(default_factory=RefusalSettings)
    accounts: AccountSettings = Field(default_factory=AccountSettings)
    exports: ExportSettings = Field(default_factory=ExportSettings)
    client: ClientSettings = Field(default_factory=ClientSettings)
    log: LogSettings = Field(default_factory=LogSettings)
