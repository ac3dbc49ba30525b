"""The sections of the settings about connections: where a server listens, how clients reach it."""

from pydantic import Field

from ledger.section import SecretFile, Section


class TlsSettings(Section):
    """How the server proves its name, and which certificates of callers it takes."""

    certificate: str = Field(
        default="",
        description="File (PEM) with the server's certificate and those between it and its CA; "
        "empty for a server without TLS, which then serves loopback alone.",
    )
    key: SecretFile = Field(
        default="",
        description="File (PEM) with the certificate's private key, for its owner only (0600).",
    )
    client_ca: str = Field(
        default="",
        description="File (PEM) with the CAs of callers: a caller at `server.address` then needs "
        "a certificate of one of them.",
    )
    bearer_address: str = Field(
        default="",
        description="Host and port for callers without a certificate, who come with a bearer "
        "token; only beside `client_ca`.",
    )


class ServerSettings(Section):
    """Where the service is, for the server and its clients."""

    address: str = Field(
        default="127.0.0.1:50051",
        description="Host and port that `serve` listens on and commands call; without TLS "
        "loopback only. It may begin with `ledgers://`, which means TLS.",
    )
    socket: str = Field(
        default="",
        description="Path of a Unix socket that is served too, for the operator: only the user "
        "that serves may connect (0600).",
    )
    tls: TlsSettings = Field(default_factory=TlsSettings)


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
    tls_ca: str = Field(
        default="",
        description="File (PEM) with the CA of the server's certificate; empty for those that the "
        "system knows.",
    )
    tls_certificate: str = Field(
        default="", description="File (PEM) with the caller's certificate, if the server asks."
    )
    tls_key: SecretFile = Field(
        default="",
        description="File (PEM) with that certificate's private key, for its owner only (0600).",
    )
    token_file: SecretFile = Field(
        default="",
        description="File with the bearer token of the caller, for its owner only (0600); read "
        "again when it changes.",
    )
    token: str = Field(default="", repr=False, description="That token itself, instead of a file.")
