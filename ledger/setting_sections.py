"""The sections of the settings: what can be set, its type, default and meaning.

A part of the product is given its whole section. Where they come from is in `settings`.
"""

from typing import Annotated, Final, Literal, Self, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from ledger.connection_settings import ClientSettings, ServerSettings
from ledger.events.access import ACCESS_KINDS, AccessKind
from ledger.events.values import ACTOR
from ledger.limit_settings import LimitSettings
from ledger.limits import PROVIDERS_MAX, SUBJECT_CHARS_MAX
from ledger.notification_settings import NotificationSettings
from ledger.section import SecretFile, Section, as_words

TokenAlgorithm: TypeAlias = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
]
"""How a provider may sign: by key pairs only, so that the key that checks cannot sign."""


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

    file: SecretFile = Field(
        default="",
        description="File with the master key that encrypts signing keys; empty for one beside a "
        "SQLite file, made at first start.",
    )
    secret: str = Field(
        default="",
        repr=False,
        description="That key itself, 64 hexadecimal digits, instead of a file.",
    )
    command: Annotated[tuple[str, ...], BeforeValidator(as_words)] = Field(
        default=(),
        description="A command that prints that key, instead of a file: a list of words such as "
        '`["/usr/bin/kms", "get", "ledger"]`, which no shell reads.',
    )

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        stated = [name for name in ("file", "secret", "command") if getattr(self, name)]
        if len(stated) > 1:
            named = " and ".join(f"keys.{name}" for name in stated)
            raise ValueError(f"{named} each name a master key; state one of them")
        return self


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


_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


def _provider_url(text: str) -> str:
    """Return a URL of a provider; ValueError where others on the way could answer for it."""
    parts = urlsplit(text)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if not is_safe or not parts.hostname or "@" in parts.netloc or parts.fragment:
        raise ValueError(
            "must be an https:// URL without user and fragment, or http:// on loopback"
        )
    _ = parts.port  # ValueError where it is no number
    return text


def _provider_keys(text: str) -> str:
    return _provider_url(text) if "://" in text else text


class ProviderSettings(Section):
    """An OpenID provider whose tokens are taken."""

    issuer: Annotated[str, Field(max_length=SUBJECT_CHARS_MAX), AfterValidator(_provider_url)]
    """Exactly as its tokens name it in `iss`."""
    audience: Annotated[str, Field(min_length=1, max_length=SUBJECT_CHARS_MAX)]
    """The name of this service at the provider: a token must have it in `aud`."""
    keys: Annotated[str, Field(min_length=1), AfterValidator(_provider_keys)]
    """Its keys (JWKS): the URL, or a file."""
    algorithms: Annotated[tuple[TokenAlgorithm, ...], Field(min_length=1)] = ("RS256",)
    """How its tokens may be signed."""
    ca: str = ""
    """File with the certificates that the keys' URL is verified with; empty for the system's."""


def _one_of_each_issuer(providers: tuple[ProviderSettings, ...]) -> tuple[ProviderSettings, ...]:
    issuers = [provider.issuer for provider in providers]
    if len(set(issuers)) < len(issuers):
        raise ValueError("two providers have the same issuer")
    return providers


class AuthenticationSettings(Section):
    """How callers prove who they are."""

    development: bool = Field(
        default=False,
        description="Whether a server on loopback believes the actor that a caller names, on a "
        "ledger where authority is in force; for trying things out.",
    )
    providers: Annotated[
        tuple[ProviderSettings, ...],
        Field(max_length=PROVIDERS_MAX),
        AfterValidator(_one_of_each_issuer),
    ] = Field(
        default=(),
        description="OpenID providers whose tokens are taken, each with `issuer`, `audience`, "
        "`keys` (URL or file), `algorithms` and `ca`.",
    )
    keys_seconds: float = Field(
        default=300.0,
        ge=1,
        le=86_400,
        description="Keys of a provider are read again every so many seconds: a key that it has "
        "withdrawn counts no longer than that.",
    )
    skew_seconds: int = Field(
        default=30,
        ge=0,
        le=300,
        description="How far a provider's clock may be from this one: a token counts so many "
        "seconds longer than it says.",
    )


class RefusalSettings(Section):
    """Whether refused requests are counted on record."""

    seconds: float = Field(
        default=60.0,
        ge=0,
        le=86_400,
        description="Refused requests are recorded as counts every so many seconds; 0 for never.",
    )


class AccessSettings(Section):
    """Which reads leave something on record."""

    seconds: float = Field(
        default=3600.0,
        ge=0,
        le=86_400,
        description="Answered reads are recorded as counts by day, actor and method every so many "
        "seconds, and when the server ends; 0 for never.",
    )
    recorded: tuple[AccessKind, ...] = Field(
        default=ACCESS_KINDS,
        description="The accesses that are recorded one by one: more than 1,000 events read by one "
        "actor in a day, exports, replays of ranges, and all of these for a stated purpose, "
        "which audits and compliance tables have; none if empty.",
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
    authentication: AuthenticationSettings = Field(default_factory=AuthenticationSettings)
    refusals: RefusalSettings = Field(default_factory=RefusalSettings)
    access: AccessSettings = Field(default_factory=AccessSettings)
    accounts: AccountSettings = Field(default_factory=AccountSettings)
    limits: LimitSettings = Field(default_factory=LimitSettings)
    exports: ExportSettings = Field(default_factory=ExportSettings)
    notifications: NotificationSettings = Field(default_factory=NotificationSettings)
    client: ClientSettings = Field(default_factory=ClientSettings)
    log: LogSettings = Field(default_factory=LogSettings)
