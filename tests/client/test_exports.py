"""Both clients ask for a bundle, follow it, fetch it from any byte, and list it."""

import asyncio
from pathlib import Path

from ledger.chain.keys import VerifierKey
from ledger.client import AsyncLedgerClient, LedgerClient
from ledger.client.proofs import Export
from ledger.export.verify import VerifiedBundle, verify_bundle
from tests.support.hooks import join_export
from tests.support.served import HOUR, Served, observation, serving


def verified(served: Served, content: bytes, path: Path) -> VerifiedBundle:
    path.write_bytes(content)
    return verify_bundle(
        path, [VerifierKey.parse(served.service.ledger().attestation.checkpoints.sign().vkey)]
    )


def test_a_bundle_through_the_client_for_threads(tmp_path: Path) -> None:
    with serving(tmp_path) as served, LedgerClient(served.server.address) as client:
        served.prepare()
        served.submit(*(observation(seconds=HOUR * n) for n in range(1, 9)))
        begun = client.create_export(kind="stream", stream="models/fares", request_id="one")
        join_export(served.service.exports(), begun.name.removeprefix("exports/"))
        found = client.get_export(begun.name)
        assert client.create_export(kind="stream", stream="models/fares", request_id="one") == found
        assert (found.state, found.events_done, found.kind) == ("READY", 10, "STREAM")
        parts = list(client.read_export(found.name))
        rest = client.read_export(found.name, offset=parts[0].offset + len(parts[0].content))
        content = parts[0].content + b"".join(part.content for part in rest)
        bundle = verified(served, content, tmp_path / "bundle.tar")
        assert bundle.manifest_digest == found.manifest_digest
        assert list(client.list_exports()) == [found]


def test_a_bundle_through_the_client_for_asyncio(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        served.prepare()

        async def fetch() -> tuple[Export, bytes]:
            async with AsyncLedgerClient(served.server.address) as client:
                begun = await client.create_export(withhold_streams=["models/fares"],
                                                   withhold_reason="secret")  # fmt: skip
                await asyncio.to_thread(
                    join_export, served.service.exports(), begun.name.removeprefix("exports/")
                )
                found = await client.get_export(begun.name)
                content = b"".join([part.content async for part in client.read_export(found.name)])
                assert [one async for one in client.list_exports()] == [found]
                return found, content

        found, content = asyncio.run(fetch())
        assert len(content) == found.archive_bytes
        assert verified(served, content, tmp_path / "bundle.tar").missing.withheld == found.withheld
        assert found.withheld == 2
