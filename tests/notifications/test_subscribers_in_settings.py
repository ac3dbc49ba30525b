"""What cannot be a subscriber is refused when settings are read, by its name and what to change.

Method: one settings section after the other, each with one thing wrong; the secrets of subscribers
are looked at by `doctor` as all others are.
"""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from ledger.errors import LedgerError
from ledger.events.envelope import RecordedEvent
from ledger.events.registry import BY_TYPE
from ledger.notification_settings import NotificationSettings, SubscriberSettings
from ledger.notifications.selection import Selection, types_of
from ledger.settings import SettingsError, load, secret_files
from tests.support.receivers import secret_file

HOOK = {
    "name": "pager",
    "kind": "webhook",
    "types": ["decision.*"],
    "url": "https://hooks.example/x",
    "secret_file": "/etc/hook.secret",
}
MAIL = {
    "name": "board",
    "kind": "smtp",
    "types": ["decision.*"],
    "url": "smtps://mail.example",
    "sender": "ledger@bank.example",
    "recipient": "risk@bank.example",
}
PROGRAM = {"name": "siem", "kind": "command", "types": ["*"], "command": ["/bin/tee"]}
HOSTS = ["hooks.example", "mail.example", "10.1.0.0/16"]


def read(*subscribers: dict[str, Any], hosts: object = HOSTS) -> NotificationSettings:
    return NotificationSettings.model_validate({"hosts": hosts, "subscribers": subscribers})


def test_each_kind_of_subscriber_can_be_set() -> None:
    assert [one.kind for one in read(HOOK, MAIL, PROGRAM).subscribers] == [
        "webhook",
        "smtp",
        "command",
    ]
    assert read(HOOK | {"url": "https://10.1.2.3/x"}).subscribers[0].parts.hostname == "10.1.2.3"


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a host that is not listed": (
        HOOK | {"url": "https://evil.example/x"},
        "its host evil.example is not among `notifications.hosts`",
    ),
    "an address that is not listed": (
        HOOK | {"url": "https://10.2.0.1/x"},
        "its host 10.2.0.1 is not among",
    ),
    "a user in the URL": (
        HOOK | {"url": "https://a:b@hooks.example/"},
        "without user and fragment",
    ),
    "another scheme": (HOOK | {"url": "file:///etc/passwd"}, "must be https://HOST"),
    "a mail server as a webhook": (HOOK | {"url": "smtps://mail.example"}, "must be https://HOST"),
    "a line break in the URL": (
        HOOK | {"url": "https://hooks.example/a\nb"},
        "must be https://HOST",
    ),
    "a port that is no number": (HOOK | {"url": "https://hooks.example:x/"}, "Port could not be"),
    "a webhook without a secret": (HOOK | {"secret_file": ""}, "a webhook needs `secret_file`"),
    "a webhook with a command": (HOOK | {"command": ["/bin/tee"]}, "a webhook has no `command`"),
    "a webhook with a user": (HOOK | {"user": "ana"}, "a webhook has no `user`"),
    "an e-mail without a recipient": (MAIL | {"recipient": ""}, "a smtp needs `recipient`"),
    "two recipients": (MAIL | {"recipient": "a@b.example, c@d.example"}, "is not an address"),
    "a header in an address": (
        MAIL | {"sender": "a@b.example\nBcc: c@d.example"},
        "not an address",
    ),
    "a user without a password": (MAIL | {"user": "ana"}, "`user` and `secret_file` belong"),
    "a program by a relative path": (PROGRAM | {"command": ["tee"]}, "the whole path"),
    "a program as one text": (PROGRAM | {"command": "/bin/tee"}, "is a list of words"),
    "no types": (HOOK | {"types": []}, "at least 1 item"),
    "a type that is none": (HOOK | {"types": ["Decision!"]}, "nor a pattern such as decision.*"),
    "a name that is none": (HOOK | {"name": "a b"}, "is not a name"),
    "a label that is none": (HOOK | {"labels": {"A": "b"}}, "is not a label"),
    "a ledger that is none": (HOOK | {"ledger": "A"}, "is not the origin of a ledger"),
    "an attempt without an end": (HOOK | {"timeout_seconds": 600}, "less than or equal to 12"),
    "a kind that is none": (HOOK | {"kind": "pigeon"}, "'webhook', 'smtp' or 'command'"),
    "a setting that is none": (HOOK | {"proxy": "http://x"}, "Extra inputs are not permitted"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_subscriber_that_cannot_be_is_refused_by_what_is_wrong(what: str) -> None:
    stated, said = WRONG[what]
    with pytest.raises(ValidationError) as refused:
        read(stated)
    assert said in str(refused.value)


def test_two_subscribers_of_one_name_and_hosts_that_are_none_are_refused() -> None:
    with pytest.raises(ValidationError, match="two subscribers have the same name"):
        read(HOOK, PROGRAM | {"name": "pager"})
    for host in ("Hooks.example", "https://hooks.example", "10.0.0.0/33", "*.example", ""):
        with pytest.raises(ValidationError, match="neither the name of a host"):
            read(hosts=[host])


def test_a_file_of_settings_names_subscribers_and_a_secret_that_others_may_read_is_found(
    tmp_path: Path,
) -> None:
    secret = secret_file(tmp_path)
    config = tmp_path / "ledger.toml"
    config.write_text(
        '[notifications]\nhosts = ["hooks.example"]\n\n[[notifications.subscribers]]\n'
        'name = "pager"\nkind = "webhook"\nurl = "https://hooks.example/x"\n'
        f'secret_file = "{secret}"\ntypes = ["decision.*"]\n'
    )
    named = secret_files(load(config))
    assert named == {"notifications.subscribers[0].secret_file": Path(secret)}
    config.write_text(config.read_text().replace("hooks.example/x", "evil.example/x"))
    with pytest.raises(SettingsError, match=r"evil\.example is not among") as refused:
        load(config)
    assert "Correct or remove them" in str(refused.value)


# ---- which events --------------------------------------------------------------------------------


def test_a_pattern_names_every_event_type_that_it_fits() -> None:
    def chosen(*types: str) -> set[str]:
        return set(types_of(SubscriberSettings.model_validate(PROGRAM | {"types": types})))

    assert chosen("*") == set(BY_TYPE)
    assert chosen("decision.*") == {name for name in BY_TYPE if name.startswith("decision.")}
    plans = {"plan.made.v1", "plan.made.v2", "plan.scheduled.v1"}
    assert chosen("model.retired.v1", "plan.*") == {"model.retired.v1", *plans}
    with pytest.raises(LedgerError, match=r"decisions\.\* names no event type"):
        chosen("decisions.*")


@pytest.mark.parametrize(
    ("stream", "is_meant"),
    [
        ("models/fares", True),
        ("models/rooms", False),
        ("escalations/fares", True),
        ("tasks/fares", True),
        ("tasks/rooms", False),
        ("ledger", False),
        ("signals/psi", False),
    ],
)
def test_by_labels_an_event_is_about_the_model_of_its_stream_whatever_its_kind(
    stream: str,
    is_meant: bool,  # noqa: FBT001 - of a table
) -> None:
    stated = PROGRAM | {"labels": {"team": "risk"}}
    selection = Selection(
        SubscriberSettings.model_validate(stated),
        lambda model, _: {"team": "risk", "tier": "high"} if model == "fares" else {"team": "x"},
    )
    empty = b""
    event = RecordedEvent(9, stream, 1, "plan.made.v1", 0, None, empty, empty, empty, empty, empty)
    assert selection.has(event) is is_meant
