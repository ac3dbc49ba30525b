"""Every bound of the service, named, with its reason. Nothing in the ledger grows without one."""

from dataclasses import dataclass
from typing import Final

MESSAGE_BYTES_MAX: Final = 4 * 1024 * 1024  # gRPC's own default; larger batches gain nothing
RECEIVED_BYTES_MAX: Final = 4 * MESSAGE_BYTES_MAX  # above it, so that a request a little too large
# is refused by name
INDICATORS_MAX: Final = 16  # of one observation, beside its value
REPORT_URI_CHARS_MAX: Final = 1_000
BATCH_OBSERVATIONS_MAX: Final = 5_000  # keeps one refused batch cheap to send again
SAMPLE_SIZE_MAX: Final = 1_000_000_000_000  # well inside 2^53 - 1, so it stays a JSON integer
TEXT_CHARS_MAX: Final = 2_000  # rationales and meanings: enough to explain, short enough to list
LABELS_MAX: Final = 32
LABEL_CHARS_MAX: Final = 128
DRILL_ITEMS_MAX: Final = 100  # participants, findings, follow-ups of one drill
PURPOSE_CHARS_MAX: Final = 200  # of a read, as its caller states it; the rest is cut off
DOCUMENT_BYTES_MAX: Final = 512 * 1024  # a policy's text as sent
MONEY_MICROS_MAX: Final = 10**21  # a thousand million million: more is a mistake, and would make
# ranks that no event can hold
BUDGET_MICROS_MAX: Final = 10**30
BUDGET_PERIOD_SECONDS_MIN: Final = 3_600
BUDGET_PERIOD_SECONDS_MAX: Final = 366 * 86_400
BUDGET_RATE_PERIODS_MAX: Final = 4  # whole periods by which a budget's rate is told
BUDGET_FORECAST_PERIODS_MAX: Final = 52
RULES_MAX: Final = 100
SIGNALS_PER_POLICY_MAX: Final = 100
OBSERVATIONS_LOOKED_AT_MAX: Final = 100_000  # for sources of signals: a second or two
APPROVALS_MAX: Final = 10
APPROVERS_MAX: Final = 10
TEAM_SHARES_MAX: Final = 100  # of one policy
APPROVALS_CITED_MAX: Final = 200  # by one activation; ten roles of ten persons need 100
PLANS_MAX: Final = 4  # of one ledger being made as operations; each reads the whole fleet
PLANS_KEPT_MAX: Final = 100  # such operations that a server remembers
SHADOWS_MAX: Final = 4  # policies that run in shadow at once
SHADOW_SECONDS_MIN: Final = 3_600
SHADOW_SECONDS_MAX: Final = 366 * 86_400
SCHEDULE_DAYS_MAX: Final = 366  # up to the time that is set for an activation
TIERS_MAX: Final = 32
FALL_BACKS_MAX: Final = 20  # of a job: the newest that are registered
RECIPE_NAMES_MAX: Final = 100  # of a recipe's parameters, inputs, outputs; of a gate's metrics
ARGUMENTS_MAX: Final = 1_000  # of a recipe's command
ATTEMPTS_MAX: Final = 10  # of one job
RUN_EVENTS_MAX: Final = 10_000  # of one run as it is told: a score an hour, for more than a year
CRITERIA_MAX: Final = 50  # of one gate
JOB_LINKS_MAX: Final = 20  # of one report
LINK_CHARS_MAX: Final = 1_000
HOLDOUT_USES_MAX: Final = 1_000  # each use tells a little of the data that is kept apart
WINDOW_BUCKETS_MAX: Final = 512  # of one signal, by docs/spec/kernel_v1.md
EXPRESSION_CHARS_MAX: Final = 2_000  # of a rule's condition, as it is stored

DUPLICATES_SEARCHED: Final = 1_000  # of a model's newest observations, for repeats: about 4 ms

PAGE_SIZE_DEFAULT: Final = 100
PAGE_SIZE_MAX: Final = 1_000
PAGE_STATES_MAX: Final = 100  # of signals: each may be of another model, searched for repeats

SKEW_SECONDS_DEFAULT: Final = 300  # how far a monitor's clock may run ahead of a `wall` ledger's
OVERRIDE_SECONDS_MAX: Final = 90 * 86_400  # what has to hold for longer belongs into the policy
SKEW_SECONDS_MAX: Final = 86_400
DATA_AHEAD_SECONDS: Final = 3_660 * 86_400  # ten years: a `data` ledger's time never goes back, so
# one slip of the pen (3013, 9999) must not move it; data made for the near future may be loaded
CLOCK_STEP_SECONDS_MIN: Final = 5  # clocks are set by small steps all the time: those are no fault
OPENED_WITHIN_SECONDS: Final = 300  # how much later than a budget is opened that may be recorded
IDLE_SECONDS_MAX: Final = 366 * 86_400  # a year and a day: a server whose clock lies further beyond
# the newest event of a `wall` ledger when it starts is more likely wrong than back after that time
LEAP_SECONDS_DEFAULT: Final = 31 * 86_400  # how far a stated time may leap ahead in a `data` ledger
LEAP_SECONDS_MAX: Final = DATA_AHEAD_SECONDS

GROUP_EVENTS_MAX: Final = 4_000  # one transaction: more would only make the first caller wait
QUEUE_REQUESTS_MAX: Final = 10_000  # beyond this the caller is told to back off
QUEUE_EVENTS_MAX: Final = 100_000  # bounds the memory that waiting requests can hold

CALL_THREADS: Final = 24  # on which calls with one answer run, while they run
STREAM_THREADS: Final = 12  # for a step of a stream: more than may be at long work at once
QUEUED_CALLS_MAX: Final = 2_048  # that wait for a thread, in all; each holds its message
QUEUED_CALLS_PER_CONNECTION: Final = 256
CALLS_PER_CONNECTION: Final = 512  # open at once; what is beyond waits at the client
WAITS_MAX: Final = 1_024  # reads that wait for their `min_position`: a little memory each
WAITS_PER_CONNECTION: Final = 64
WATCHERS_MAX: Final = 256  # they cost no thread while nothing happens
WATCHERS_PER_CONNECTION: Final = 64
INGEST_STREAMS_MAX: Final = 64  # each may hold as many batches as are in flight
INGEST_STREAMS_PER_CONNECTION: Final = 32
LONG_CALLS_MAX: Final = 8  # replays, archives, rebuilds: each keeps a thread busy
LONG_CALLS_PER_CONNECTION: Final = 4
STANDARD_STREAMS_MAX: Final = 256  # health watches and reflection
STANDARD_STREAMS_PER_CONNECTION: Final = 32
BURST_SECONDS: Final = 2  # how many seconds' worth of calls, bytes, observations may come at once
ACTOR_RATE_MAX: Final = 10**12  # of any kind a second: more than any machine takes
ACTOR_PLACES_MAX: Final = 100_000
RATED_CALLERS_MAX: Final = 10_000  # addresses, and actors, whose calls are remembered: 6 MB
REFUSED_HOSTS_MAX: Final = 20  # told apart of one actor, method and reason in a count of refusals
LIMITED_CALLERS_MAX: Final = 1_000  # of which the log says that they are limited, at one time
LIMITED_SECONDS: Final = 0.5  # how late at most a caller is answered that has sent too much
LIMITED_QUIET_SECONDS: Final = 60.0  # without a refusal until a caller is not limited any more
LIMITS_LOOK_SECONDS: Final = 5.0  # how often that is looked at
HANDSHAKE_SECONDS: Final = 10.0  # for TLS and the first bytes of HTTP/2; then the connection ends
MESSAGE_SECONDS: Final = 10.0  # within which a call's message follows its headers
MALFORMED_SECONDS: Final = 0.5  # how late what is no message is answered, at no cost
IDLE_SECONDS: Final = 300.0  # after which a connection without calls ends; clients come back
HEALTH_WATCHES_LOOK_SECONDS: Final = 60.0  # a health watch is told of changes; this is a net
STREAM_BATCHES_IN_FLIGHT: Final = 8  # batches of one stream that wait for the writer at once
STREAM_BATCH_SECONDS_MAX: Final = 30.0  # how long a batch of a stream may wait for it
READ_WAIT_SECONDS_MAX: Final = 10.0  # how long a read waits for its `min_position`
KEEPALIVE_SECONDS: Final = 30  # between pings on an idle connection
PING_SECONDS_MIN: Final = 5  # how often clients may ping: Go's default of 10 s has room
KEEPALIVE_TIMEOUT_SECONDS: Final = 10  # without an answer to a ping the peer counts as gone
DRAIN_SECONDS: Final = 10.0  # what calls under way get to finish when the server stops
STOP_SECONDS_MAX: Final = 14.0  # after which the process ends, even if a part hangs
STREAM_HEARTBEAT_SECONDS: Final = 5.0

PROJECTION_BATCH_EVENTS: Final = 2_000
REPLAY_RANGE_MAX: Final = 1_000_000

MASS_EVENTS: Final = (
    1_000  # read by one actor in a day, a page of the largest size; more is recorded
)

ERASED_RANGES_MAX: Final = 10_000  # of one erasure: they stand in its event
ERASED_POSITIONS_MAX: Final = 1_000_000  # one transaction; no append meanwhile

LEDGERS_MAX: Final = 100  # of one server: each has its own chain, keys and read models

TRIALS_MAX: Final = 2  # policies tried or compared at once on one ledger: each reads its history
EXPORTS_MAX: Final = 2  # bundles written at once: each takes a core's worth of time from appends
EXPORTS_KEPT_MAX: Final = 100  # bundles of one ledger: each may be as large as the ledger
EXPORT_CHUNK_BYTES: Final = 1024 * 1024  # of an archive in one message

KEY_COMMAND_SECONDS_MAX: Final = 30  # a key-management service far away, asked at each start
KEY_COMMAND_BYTES_MAX: Final = 4_096  # a master key is 64 digits; more is something else

BEARER_BYTES_MAX: Final = 8 * 1024  # of a bearer token: providers that list every group need 4 KiB
METADATA_BYTES_MAX: Final = 128 * 1024  # of a call: a token that is too large is refused by name
SUBJECT_CHARS_MAX: Final = 255  # of a name in a credential; OpenID's own bound for `sub`
BEARERS_REMEMBERED: Final = 4_096  # verified tokens: about a kilobyte each, a signature saved
CERTIFICATES_REMEMBERED: Final = 1_024  # certificates that were read: one for each client
PROVIDERS_MAX: Final = 16  # of OpenID, trusted by one server
KEYS_OF_PROVIDER_MAX: Final = 100  # some keep a few dozen through a rotation
KEYS_OF_PROVIDER_BYTES_MAX: Final = 512 * 1024
KEYS_FETCH_SECONDS: Final = 5.0  # within which a provider hands over its keys
KEYS_RETRY_SECONDS: Final = 10.0  # between two fetches: a made-up `kid` costs a provider no more

SUBSCRIBERS_MAX: Final = 32  # each has a thread, which may wait for its receiver
NOTIFICATION_HOSTS_MAX: Final = 1_000
NOTIFICATION_SECONDS_MAX: Final = 12.0  # of one attempt: half a lease is left for it
NOTIFICATION_PAGE_EVENTS: Final = 100  # of one subscriber's turn, so that it ends when it should


@dataclass(frozen=True, slots=True)
class ActorLimits:
    """How much one actor may send to one ledger, and keep open there; more is LIMIT_REACHED.

    Where a ledger states a limit as None, the server's own holds.
    """

    calls_per_second: int | None
    """A batch of a stream is a call too."""
    bytes_per_second: int | None
    """Of requests, as they are sent."""
    observations_per_second: int | None
    streams: int | None
    """Streams of observations, watches, long calls open at once: so many of each kind."""
    waits: int | None
    """Reads that wait for their `min_position` at once."""
