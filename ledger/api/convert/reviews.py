"""Reviews of policies: the period that is asked about, and the pack."""

from ledger.api.checks import Checks
from ledger.application.policies.review_packs import MadePack, PackPeriod
from ledger.v1 import review_pb2


def period_of(request: review_pb2.GetReviewPackRequest, checks: Checks) -> PackPeriod:
    """Return the period that a request states; 0 for what it does not."""
    stated = {
        field: checks.time(field, getattr(request, field), given=True)
        for field in ("since", "until")
        if request.HasField(field)
    }
    if len(stated) > 1 and stated["since"] >= stated["until"]:
        checks.refuse("until", "must be after since")
    checks.position("as_of", request.as_of)
    return PackPeriod(**stated, as_of=request.as_of)


def review_pack(made: MadePack) -> review_pb2.ReviewPack:
    """Return a pack."""
    return review_pb2.ReviewPack(
        canonical_json=made.body.decode(), digest=made.digest, as_of=made.as_of
    )
