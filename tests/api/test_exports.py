"""ExportService over the wire: begun, followed, listed, sent from any byte, refused by name."""

from pathlib import Path

import grpc
import pytest

from ledger.api.server import ApiServer
from ledger.chain.keys import VerifierKey
from ledger.export.verify import verify_bundle
from ledger.service import Service
from ledger.v1 import export_pb2
from ledger.v1 import export_service_pb2 as pb
from ledger.v1.export_service_pb2_grpc import ExportServiceStub
from tests.support.hooks import join_export
from tests.support.served import HOUR, OPERATORS, TIMEOUT, Refusal, Served, at, observation, refused
from tools.quiet import quiet

READY = export_pb2.EXPORT_STATE_READY


@pytest.fixture
def stub(served: Served) -> ExportServiceStub:
    served.submit(*(observation(seconds=HOUR * n) for n in range(1, 9)))
    return ExportServiceStub(served.channel)


def made(
    served: Served, stub: ExportServiceStub, request: pb.CreateExportRequest
) -> export_pb2.Export:
    """Create an export and wait until its thread is done."""
    begun = stub.CreateExport(request, timeout=TIMEOUT).export
    join_export(served.service.exports(), begun.name.removeprefix("exports/"))
    return stub.GetExport(pb.GetExportRequest(name=begun.name), timeout=TIMEOUT).export


def read(stub: ExportServiceStub, name: str, offset: int = 0) -> list[pb.ReadExportResponse]:
    return list(stub.ReadExport(pb.ReadExportRequest(name=name, offset=offset), timeout=TIMEOUT))


def test_a_bundle_is_made_followed_and_sent(
    served: Served, stub: ExportServiceStub, tmp_path: Path
) -> None:
    request = pb.CreateExportRequest(
        kind=export_pb2.EXPORT_KIND_STREAM,
        stream="models/fares",
        withhold_types=["signal.observed.v1"],
        withhold_reason="secret",
        purpose="to see",
    )
    found = made(served, stub, request)
    assert found.state == READY, found.failure
    assert (found.kind, found.stream) == (export_pb2.EXPORT_KIND_STREAM, "models/fares")
    assert (found.events_done, found.events_total, found.withheld) == (10, 10, 8)
    assert (found.purpose, found.requested_by) == ("to see", "users/anonymous")
    assert found.issued_position == served.head()
    parts = read(stub, found.name)
    path = tmp_path / "bundle.tar"
    path.write_bytes(b"".join(part.content for part in parts))
    assert path.stat().st_size == found.archive_bytes == parts[0].archive_bytes
    key = VerifierKey.parse(served.service.ledger().attestation.checkpoints.sign().vkey)
    assert verify_bundle(path, [key]).manifest_digest == found.manifest_digest


def test_a_broken_transfer_goes_on_where_it_ended(served: Served, stub: ExportServiceStub) -> None:
    found = made(served, stub, pb.CreateExportRequest())
    whole = b"".join(part.content for part in read(stub, found.name))
    for offset in (1, 511, 5_000, len(whole) - 1, len(whole)):
        parts = read(stub, found.name, offset)
        assert b"".join(part.content for part in parts) == whole[offset:]
        assert [part.offset for part in parts][:1] in ([], [offset])


def test_a_range_of_time_and_a_repeat_of_the_request(
    served: Served, stub: ExportServiceStub
) -> None:
    request = pb.CreateExportRequest(
        kind=export_pb2.EXPORT_KIND_RANGE,
        from_time=at(HOUR * 8),
        until_time=at(HOUR * 9),
        request_id="once",
    )
    found = made(served, stub, request)
    assert 1 < found.first_position < found.last_position < served.head()
    again = stub.CreateExport(request, timeout=TIMEOUT).export
    assert again == found
    request.kind = export_pb2.EXPORT_KIND_FULL
    request.ClearField("from_time")
    request.ClearField("until_time")
    assert refused(lambda: stub.CreateExport(request, timeout=TIMEOUT)).reason == (
        "REQUEST_ID_REUSED"
    )


def test_exports_are_listed_in_pages_newest_first(served: Served, stub: ExportServiceStub) -> None:
    names = [made(served, stub, pb.CreateExportRequest()).name for _ in range(3)]
    found, token = [], ""
    while True:
        page = stub.ListExports(
            pb.ListExportsRequest(page_size=2, page_token=token), timeout=TIMEOUT
        )
        found += [export.name for export in page.exports]
        token = page.next_page_token
        if not token:
            break
    assert found == sorted(names, reverse=True)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.CreateExportRequest(kind=99), "kind"),  # type: ignore[arg-type]
        (pb.CreateExportRequest(first_position=-1), "first_position"),
        (pb.CreateExportRequest(first_position=9, last_position=8), "last_position"),
        (pb.CreateExportRequest(withhold_types=["x"] * 101), "withhold_types"),
        (pb.CreateExportRequest(withhold_types=["x"], withhold_reason="y"), "withhold_types[0]"),
        (
            pb.CreateExportRequest(withhold_streams=["x"], withhold_reason="y"),
            "withhold_streams[0]",
        ),
        (pb.CreateExportRequest(withhold_reason="y" * 2_001), "withhold_reason"),
        (pb.CreateExportRequest(purpose="y" * 2_001), "purpose"),
        (pb.CreateExportRequest(stream="models/fares"), "stream"),
    ],
)
def test_a_request_that_cannot_be_is_refused_by_field(
    stub: ExportServiceStub, request_: pb.CreateExportRequest, field: str
) -> None:
    found = refused(lambda: stub.CreateExport(request_, timeout=TIMEOUT))
    assert found.reason == "FIELD_INVALID"
    assert field in found.fields


def test_permanent_bodies_unknown_names_and_offsets_are_refused(
    served: Served, stub: ExportServiceStub
) -> None:
    permanent = pb.CreateExportRequest(withhold_types=["key.rotated.v1"], withhold_reason="x")
    assert refused(lambda: stub.CreateExport(permanent, timeout=TIMEOUT)).reason == "BODY_PERMANENT"
    unknown = refused(
        lambda: stub.GetExport(pb.GetExportRequest(name="exports/x"), timeout=TIMEOUT)
    )
    assert (unknown.code, unknown.reason) == (grpc.StatusCode.NOT_FOUND, "EXPORT_UNKNOWN")
    bad = refused(lambda: stub.GetExport(pb.GetExportRequest(name="models/x"), timeout=TIMEOUT))
    assert bad.fields.keys() == {"name"}
    found = made(served, stub, pb.CreateExportRequest())
    for offset in (found.archive_bytes + 1, -1):
        outside = pb.ReadExportRequest(name=found.name, offset=offset)
        assert "offset" in refused_read(stub, outside).message


def refused_read(stub: ExportServiceStub, request: pb.ReadExportRequest) -> Refusal:
    return refused(lambda: stub.ReadExport(request, timeout=TIMEOUT))


def test_without_a_folder_the_refusal_says_what_to_set(postgres_url: str, tmp_path: Path) -> None:
    options = quiet(
        postgres_url,
        service__evaluate=False,
        keys__secret="00" * 32,
        operators__actors=OPERATORS,
    )
    with Service(options) as service, ApiServer(service, "127.0.0.1:0") as server:
        served = Served(service, server)
        served.create()
        stub = ExportServiceStub(served.channel)
        found = refused(lambda: stub.CreateExport(pb.CreateExportRequest(), timeout=TIMEOUT))
        served.channel.close()
    assert "LEDGER_EXPORTS__FOLDER" in found.message
