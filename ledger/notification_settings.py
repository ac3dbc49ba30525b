"""The section of the settings about notifications: which subscribers there are, and where."""

import ipaddress
import re
from typing import Annotated, Final, Literal, Self, TypeAlias
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from ledger.events.values import ORIGIN, SEGMENT
from ledger.limits import (
    LABEL_CHARS_MAX,
    LABELS_MAX,
    NOTIFICATION_HOSTS_MAX,
    NOTIFICATION_SECONDS_MAX,
    SUBSCRIBERS_MAX,
)
from ledger.section import SecretFile, Section, as_words

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
"""Addresses that are listed together."""

_PATTERN: Final = re.compile(r"(?:[a-z][a-z_]*|\*)(?:\.(?:[a-z][a-z0-9_]*|\*)){0,8}", re.ASCII)
_HOST: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,252}[a-z0-9])?", re.ASCII)
_MAILBOX: Final = re.compile(
    r"[^\s@<>,;:\"()\[\]\\]{1,64}@[A-Za-z0-9][A-Za-z0-9.-]{0,252}", re.ASCII
)
_SCHEMES: Final = {"webhook": ("https", "http"), "smtp": ("smtps", "smtp")}
_OF_KIND: Final = {
    "webhook": {"url", "secret_file", "previous_secret_file", "ca"},
    "smtp": {"url", "secret_file", "ca", "user", "sender", "recipient"},
    "command": {"command"},
}
_OF_SOME: Final = frozenset[str]().union(*_OF_KIND.values())
_NEEDED: Final = {
    "webhook": ("url", "secret_file"),
    "smtp": ("url", "sender", "recipient"),
    "command": ("command",),
}


def network_of(text: str) -> Network | None:
    """Return the addresses that an entry of the allow-list names; None where it names a host."""
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        return None


def _listed(text: str) -> str:
    if network_of(text) is None and _HOST.fullmatch(text) is None:
        raise ValueError(
            f"{text[:80]!r} is neither the name of a host, in lower case, nor an address or a "
            "network such as 10.1.0.0/16"
        )
    return text


def _pattern(text: str) -> str:
    if _PATTERN.fullmatch(text) is None:
        raise ValueError(
            f"{text[:80]!r} is neither an event type such as decision.made.v2 nor a pattern such "
            "as decision.*"
        )
    return text


def _mailbox(text: str) -> str:
    if text and _MAILBOX.fullmatch(text) is None:
        raise ValueError(f"{text[:80]!r} is not an address such as risk@bank.example")
    return text


def _origin(text: str) -> str:
    if text and ORIGIN.fullmatch(text) is None:
        raise ValueError(f"{text[:80]!r} is not the origin of a ledger")
    return text


def _segment(text: str) -> str:
    if SEGMENT.fullmatch(text) is None:
        raise ValueError(f"{text[:80]!r} is not a name: write a-z, 0-9, '.', '_' and '-'")
    return text


def _labels(labels: dict[str, str]) -> dict[str, str]:
    for key, value in labels.items():
        if SEGMENT.fullmatch(key) is None or len(value) > LABEL_CHARS_MAX:
            raise ValueError(f"{key[:80]!r} is not a label")
    return labels


Pattern = Annotated[str, AfterValidator(_pattern)]


class SubscriberSettings(Section):
    """One receiver of notifications, and the events that it is sent."""

    name: Annotated[str, AfterValidator(_segment)]
    """Its name: what was delivered to it is remembered under this."""
    kind: Literal["webhook", "smtp", "command"]
    """How it is told: by an HTTP request, by e-mail, or by a program that is run."""
    types: Annotated[tuple[Pattern, ...], Field(min_length=1, max_length=100)]
    """The event types, such as `decision.made.v2`, and patterns such as `decision.*`."""
    labels: Annotated[dict[str, str], AfterValidator(_labels)] = Field(
        default={}, max_length=LABELS_MAX
    )
    """Only events about a model that carries all of these labels."""
    ledger: Annotated[str, AfterValidator(_origin)] = ""
    """Origin of the ledger; empty for every ledger of the server."""
    after_position: int | None = Field(default=None, ge=0)
    """Where a new subscriber begins: after this position. The end of the ledger if not stated."""
    url: str = ""
    """Of a webhook `https://…`; of a mail server `smtps://HOST` or, with STARTTLS, `smtp://HOST`."""
    secret_file: SecretFile = ""
    """File with the secret of a webhook (`whsec_…`), or the password of `user` (0600)."""
    previous_secret_file: SecretFile = ""
    """File with a webhook's secret from before, which signs too while receivers change over."""
    ca: str = ""
    """File with the certificates that the server is verified with; empty for the system's."""
    user: str = ""
    """The user at the mail server; empty where it asks for none."""
    sender: Annotated[str, AfterValidator(_mailbox)] = ""
    """The address that e-mail comes from."""
    recipient: Annotated[str, AfterValidator(_mailbox)] = ""
    """The one address that e-mail goes to: a person's or a list's."""
    command: Annotated[tuple[str, ...], BeforeValidator(as_words)] = ()
    """The program that is run and its arguments; it reads the event from standard input."""
    timeout_seconds: float = Field(default=10.0, gt=0, le=NOTIFICATION_SECONDS_MAX)
    """How long one attempt may take."""
    pause_seconds: float = Field(default=1.0, gt=0, le=3600)
    """The pause after a first failed attempt; it doubles with each one after it."""
    pause_seconds_max: float = Field(default=300.0, gt=0, le=86_400)
    """The longest pause between two attempts."""
    attempts_max: int = Field(default=1_000, ge=1, le=1_000_000)
    """An event is set aside as a dead letter after so many attempts."""
    give_up_seconds: float = Field(default=86_400.0, gt=0, le=31_536_000)
    """An event is set aside after so many seconds of attempts, too."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        for name in _NEEDED[self.kind]:
            if not getattr(self, name):
                raise ValueError(f"subscriber {self.name}: a {self.kind} needs `{name}`")
        for name in sorted(_OF_SOME - _OF_KIND[self.kind]):
            if getattr(self, name):
                raise ValueError(f"subscriber {self.name}: a {self.kind} has no `{name}`")
        if self.kind == "smtp" and bool(self.user) != bool(self.secret_file):
            raise ValueError(f"subscriber {self.name}: `user` and `secret_file` belong together")
        if self.url:
            self.parts  # noqa: B018 - raises what is wrong with it
        return self

    @property
    def parts(self) -> SplitResult:
        """The parts of the URL; ValueError where it is none of its kind."""
        schemes = _SCHEMES[self.kind]
        parts = urlsplit(self.url)
        _ = parts.port  # ValueError where it is no number
        if (
            parts.scheme not in schemes
            or not parts.hostname
            or "@" in parts.netloc
            or parts.fragment
            or not self.url.isascii()
            or any(character <= " " for character in self.url)
        ):
            raise ValueError(
                f"subscriber {self.name}: `url` must be {schemes[0]}://HOST… without user and "
                "fragment"
            )
        return parts


def _distinct(found: tuple[SubscriberSettings, ...]) -> tuple[SubscriberSettings, ...]:
    names = [one.name for one in found]
    if len(set(names)) < len(names):
        raise ValueError("two subscribers have the same name")
    return found


class NotificationSettings(Section):
    """The receivers of notifications, and the hosts that these may go to."""

    hosts: Annotated[
        tuple[Annotated[str, AfterValidator(_listed)], ...],
        Field(max_length=NOTIFICATION_HOSTS_MAX),
    ] = Field(
        default=(),
        description="Hosts that notifications may be sent to, as a list such as "
        '`["hooks.bank.example", "10.1.0.0/16"]`: names, and the private addresses that one of '
        "them may have.",
    )
    subscribers: Annotated[
        tuple[SubscriberSettings, ...],
        Field(max_length=SUBSCRIBERS_MAX),
        AfterValidator(_distinct),
    ] = Field(
        default=(),
        description="Receivers of notifications, each with `name`, `kind` (`webhook`, `smtp` or "
        "`command`), `types` and what its kind needs; [the page](notifications.md) has all.",
    )

    @model_validator(mode="after")
    def _is_listed(self) -> Self:
        networks = [net for net in map(network_of, self.hosts) if net is not None]
        for one in self.subscribers:
            host = (one.parts.hostname or "") if one.url else ""
            if not host or host in self.hosts:
                continue
            address = network_of(host)
            if address is None or not any(
                address.version == net.version and address.network_address in net
                for net in networks
            ):
                raise ValueError(
                    f"subscriber {one.name}: its host {host} is not among `notifications.hosts`"
                )
        return self
