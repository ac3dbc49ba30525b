"""What was written once is decoded for ever, byte for byte, and still means what it meant.

Method: the golden instances are never edited; their digests are pinned here. Each must decode by
the registry, encode to the same bytes and be in an unbroken chain; and making the whole golden
ledger again must give the same files, for its scores, decisions and plans are computed.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ledger.application.policies.schema import schema_text
from ledger.chain.link import GENESIS, body_hash, event_hash
from ledger.errors import LedgerError, Reason
from ledger.events.canonical import decode, encode
from ledger.events.envelope import RecordedEvent
from ledger.events.registry import BY_TYPE, EVENT_CLASSES, decode_data
from tools import catalog, golden

FILES = sorted(golden.GOLDEN.glob("*.json"))
NAMES = [path.stem for path in FILES]

# Written once, never edited: a new type adds a line.
DIGESTS = dict(
    line.split("  ")[::-1]
    for line in """\
06b45df9873e03adf29c172d60ac6eba609cec3958ee855e561e1fa215cb6701  decision.made.v1.json
62394f359f9d8a16ba9851ed08a912b0f2dd2bd35841d2567152055693cf82bb  decision.overridden.v1.json
e0dc2253ca4222be46e6e1c9772388518af0d5cb9ab7d6d3f5a8e491ef517014  ledger.configured.v1.json
c86fe6d6422e35b270efdcd449ab975b01ab9fd6e27dcc8cf9ac0945b1d32ed5  ledger.created.v1.json
c7ec43fb36a90f294ab1439b1e6c1e71554715e6389154ee190640e2265ff79d  model.deployed.v1.json
0ba581fb160a3a9ec2637f1659608488222e978ae86e1068f47e781d8c61ad7e  model.registered.v1.json
ca0fa571fb43b87e46200ac98cac99bbcc31bea520a384cf7ff5bd1e93fbd4a2  model.retired.v1.json
12049152cc23aab81de55ca8b27d3f2d68304d418b1b2ea9ff854a0d1f5e1b7a  model.updated.v1.json
88d5132b7d8db7fd21852132fb86b911718c9b7279b62c6ed0266711aec9a077  plan.made.v1.json
b71a6097ac4d289bc87b5f8cf9bb2be932fce58c3cddc2877752f03d461e5433  policy.activated.v1.json
b2d09e91d4d8e2314518c96c99cb74d14a090c74e074965e143646c5aaead059  policy.drafted.v1.json
d6c70d53ebb48ce8f733bba6ea4a02cbae4b8744fcd632f1017c272995e938bd  recorder.event.v1.json
6179304f5f37c55631125b8e87d277d36d57f2bf6fce2ab9fd6a436492a2f850  score.computed.v1.json
08a68b2d38d071913b4d1f92727a3d25fc52def69002cc45df6710398d3eb42f  signal.defined.v1.json
a5b3f7d3dc636e46281f39feb71ef0f5fee72020ffc320220d031ec6e58563a1  signal.observed.v1.json
0adf22ad4c8548b39e72d74862cf6dea82d232d3511e1528fc81574f81fff310  ledger.configured.v2.json
0fa0b01a8c54276d4cf8eeefe284c60121311e34a61172f7422df3a776b714bb  streams.sealed.v1.json
39220d8f106102f8a9ad1a8f1ec010efde5bf8d520b2e710ba9169866e2f49a9  key.revoked.v1.json
4e46b275de46a1ca66857715ae1ef6c2b6d361f8614c27e73be5580377a656ad  requests.refused.v1.json
4f4ee6be54da624ecc6505aa56b5010a6174a71f221b4598a32cc46bc17ef939  key.committed.v1.json
6f32cc929c095ca3953047215dff30a8e50ed8cb1da24960ad40f2d1cea00580  key.rotated.v1.json
8818861ed9e17f763cd0f31c4ff933c787f8a34605d9d92364189f29e42506cf  body.erased.v1.json
8ccc4c5cafc6666280663ec30a28e5970e2d6f96ce18f11715814da81a84122f  audit.completed.v1.json
ac848823adcbfe210008917b337fc9d47473fc39227b545806ba1a829d6dd7dd  export.issued.v1.json
7b4a971a8883900dd8457ef111a0f7115c8fa53a2a450eb9d0e9c669c5cb8058  ledger.configured.v3.json
5b2e841f7d4fe3c6a818e1b623f79abba977731af033426eeef87723109c1625  policy.drafted.v2.json
8536f164bd8a7e11d96f4b399af5d78a70846b1071fcac6db97e7f87a7012288  decision.made.v2.json
01ebcf48b986dfdae78f3670c2c956f194f8048040a30db50c6df3f8a197ce42  clock.stepped.v1.json
adf09cab7a11246eb7690712cfec76c0b5e9f92b2563cfea59f91ff19e988d63  service.accounted.v1.json
7e94bdb0d78af46582526562589c3c2e46eb6c9ecfbe9e2d25bd88d4baaa4f0f  audit.completed.v2.json
7defbbb4d1e64b4aad500f004d6a0fdda7b382e3b6dbf2bdedf6c203cdf49fb3  administrator.named.v1.json
652ddc08281980e04cef84fa0bce0479d765bd4854c443e01e240c978be0f911  actor.registered.v1.json
344598e27bfeccf1804fad85863bbb7a6e852a3737cb193c792fc59b3c24a3fb  identity.bound.v1.json
c02abf6a59551d217a1092089291760b7329d43ce98ac45cddc87855246ed6ed  token.issued.v1.json
217603ed8dd542ea1635612c333f711297dd5a2c5ca72cd865556681af4e64a5  role.defined.v1.json
5220c723fbb2e0c148512443d3ecd1fdb157baf5df202e760fbe382cec477945  role.granted.v1.json
4b4ade112466a2bc283e3c42c79b837f3dcb3591a55212e6e2b1550698f6d245  credential.used.v1.json
e1fc34c396e677be25c4f763f636f06296a76f14232b89746b34baa1513f37aa  authority.proposed.v1.json
da6db5a39a0ef65ee4fd7bdf12f7a3fa408429de8b90ed323c2cc84ab30d2e78  grant.withdrawn.v1.json
e8b7f97488908ade2295229c6b36a1a5d9f7d7d459012c43035dce36958eb805  token.revoked.v1.json
2ab306960be99f535d8f4c25789b2a9dad67f17fac8620b12d0e80bc4ed57086  identity.unbound.v1.json
2708081f41217eaf49f8f84a5b6ce35782b1306029104d2ef24b6e872850d4c0  reads.counted.v1.json
983dbd2f626df3c864bd30178bd0becbb6fa46b72c32e26cc22c6ee58127748e  access.recorded.v1.json
8dbb4b4952989909bf667df7cff8dd338f5609135f69e51c964f9f35cfe77dad  service.accounted.v2.json
c939bc633902c46f8bdb7828e8fe7bcde92fc6a7ae0baae6f2d7e94c70cb0634  call.represented.v1.json
7834359358a2b705b6440dd8695b4895e9ff0df5dfa1a7b7aa228089b00c5ce4  limits.set.v1.json
571b84e6f980d5a5749345db6dd118cda184b9c98acc837f019b1649eff8d4b3  signal.defined.v2.json
8c23a1568bb37b864aff40a2e373e285fd2828718b161e1aed72b37415ce75d1  policy.drafted.v3.json
24e026ccb4d2a8d4d113a90a209e2ea2a601cb48f5511bee3a14cb9823b25c51  requests.refused.v2.json
c248cbf7659b4c7d84f65734efed7623e36f74600fdab1dde72ee1b0a643aa79  escalation.raised.v1.json
f176af9d474d9a5b10473692bf27dc43b9b3fd39f5d0f6a36b0e85c4246a6862  task.opened.v1.json
35bbe6b65ddaa912aa59de35385508f6e95787098b0aad51437d8e6def0b7f3c  escalation.escalated.v1.json
89041fbd18102087fa8f1e40f23a86d6696e4493d8e4a498aa42023421670aa2  escalation.acknowledged.v1.json
9ced6fd8e1817eb3a1b49b8e4e7e91207e34ea396e37e84954e9a76decda2f94  task.taken.v1.json
4b9b743b7e6ee14d99f2f65033f78038f0f13391c8b293b925d09e7592c06a4a  escalation.resolved.v1.json
0d749a5bd7893b41493b9039a2eebea6eee7ae8f2941ec983d1286038a09edf8  task.overdue.v1.json
3d8627a9a8808a54f098e19c831008067fc94dcde221db06aba87445c2bf7b65  task.closed.v1.json
dedeb8f750dd579b2e67bea3a4c6935244c7d6be48017ac38c5a52a9bf9570d1  escalation.ended.v1.json
853c8b55174c1889b50c779963a1c48e463e88825f3f5fee7cf4181ae0e36f66  drill.recorded.v1.json
09687787e9a5ac0a28e1efd115fbd81a7f875812d43c74a8e919633c9b7e5bec  signal.observed.v2.json
e6faeb17578d4336bfbe01052c358d83fe803d5bdcbd91716d0fc8eb8d994ba2  policy.submitted.v1.json
e93d5d5e578cdb879a1b01d319d4054084b3739eeaa791ec3bb887017d8ab7c1  policy.approved.v1.json
d0612c175660b66997c7cf26e3a33f1ce2f05f42b164a8f10b0d877f9e7dbb29  policy.approval_withdrawn.v1.json
7a9e7a54f418b7b3b86b6e7b20628daba7ee5c21b57052b5f30c44204761ae63  policy.rejected.v1.json
3abace22d84ce4913de23a1e2bc6a17cde80610b84b57729898d16540fc559d3  policy.retired.v1.json
2adc03d037b8391c5c999faa9eb013da675cbf72be6f84c3ec5dbcd47c16d37a  policy.activated.v2.json
b131ad645af2e392ad87f25e5a310eb35172c1030d249e4d3f59bfde25a89ddb  policy.scheduled.v1.json
3b56b8e020df8525166976f81a766d6e87effcc6378b93ad0bb97a7b5535123c  policy.schedule_withdrawn.v1.json
e937021a05a00fef10cb4d5f3b5bbc379bd1f95f1d9905e7f25de7a74b974367  policy.ratified.v1.json
3e2ca3013e04ea56d612d6fecf856a136ca241b6162bc7c355ee1c423369c4c9  shadow.begun.v1.json
e87cf83df4bdd701ba6513e33d42025952ed2b93bc117f44a8b0491c87acd506  shadow.scored.v1.json
9f992d29089dfbcb363f2637ed28333dd13fdef3c7986c9d41229512b4f6c860  shadow.decided.v1.json
0cfb1721e55ac493e65d838807deec9b121f2aced65cd0ffdd389cc3e84f48eb  shadow.decided.v2.json
ab001de2c009fd944b399421e8835818ed5a59458d736caf222a67de9ac68661  shadow.ended.v1.json
ce041faf5a6f41e7346f966e5a5c8e16cd18fa578f44bda8f7e96f3541732c93  policy.review_due.v1.json
04cbaf3afebd404e3ae3c41a2a2f0e73cb0ece4237b5e0e967baf3bd60bd1e0d  shadow.planned.v1.json
373e9ff3c71cfdfe20b70321393395ad49b0f4416d040679623692498b041fed  budget.set.v1.json
7245f02e73e06cd249a2fca28ee88f943d45471e0ae18cd64072bf7462ede4e5  budget.reserved.v1.json
e3d50793096aa729fb8852ede3462ebe21f3c35068232722a30399529b91a531  budget.overspend_approved.v1.json
813a4810db554d57fd64722e287b301ccb01334c00b8d37c12f9efc61574f595  budget.spent.v1.json
3e221258dc1df6fbd699f499f38a14d382ebc33d9d23dca5c77368ab81c76f7c  budget.released.v1.json
49d5e1348aa87aa2f5799413754ddaff86f2289167d0d2c7c536eb3359d9ddf3  service.accounted.v3.json
4108531ef6dc104eb05c246bfaf7d2c77176e268f421333165038d9a439db8dd  recipe.drafted.v1.json
27c1b44997045f1a772dbfb8e382d25736bde3fc6f02c97a364ffc1797cdef41  recipe.approved.v1.json
3b413bebe64fbfc20eb4a38f81b233abf4aa868588da1016ffe63e9965de7cad  recipe.rejected.v1.json
963cbb97fef26a42e038435f305b035d369b13dcc17e981e289fef85a866ff4b  recipe.retired.v1.json
63f396e2672533d20456fc7f7af450f5d3c0fe6b43ef5afcc1d8bd4122f3006f  benchmark.registered.v1.json
014d06904484e122137ad43914535d8dc54852d2f2d6a9f6da3cfd5dbd8a6c31  benchmark.retired.v1.json
4c9c2b3094b67d8465c1117288a4906184263ba1cd72430d693eba9c262be9a2  escalation.lapsed.v1.json
3e95973f4b23f27099bbf08bbbf8cdb32ec7ea1c4ce60d1dd5853cde945f4e7f  task.lapsed.v1.json
06f0724796f2fc253bf37fd7cd2e285e1d71c42d8a7d960fb4cb12a2e555f612  policy.reviewed.v1.json
8945ede1201bb635157192fe702e1879c3b6fae66e83c62b103b72e3342c1d54  job.proposed.v1.json
46ad6aa365952d8daf521394fdf44c7667f669c2e0a88e32011c6389f0154015  job.approved.v1.json
10972275b5d54e522798aeaa9681ced22d797cd99f126bf095f095aadaa4005e  job.leased.v1.json
ceee43f56ce34c83ecc4e9692730ab12434739a9108287d2e53f91f06aee9fa0  job.lease_extended.v1.json
b672ee95de8337ca1d1828d8a9ba4eb7b8df120cd03904cfb702a83564b0e8ad  gate.reported.v1.json
76be859a20b3f835b2a37d35c96908efe60fc25d5bc35897ae6a0d85ce7046ba  gate.judged.v1.json
11d64c5ed104322f2a5a226bb6a933d24eaa9b9dbfb8b67768845120a21032f5  job.deployed.v1.json
b9a8215adf28eb824316eefaa32db27c342d744af611e18e8faa95bcf7f80765  job.cancelled.v1.json
6dbd2d6b4c28329cee7d15ca6abd10e90e44882b5988d7ba788538cd89521e17  job.rolled_back.v1.json
94ae5ad8e2619a466e2e73fa222ac0bf6037cdf09089c9e68607cd27b4be776a  job.closed.v1.json
74ed16b9b4227a83c6466251e40d3a5881517e407bb3f11e02323b4a4c957670  job.denied.v1.json
cd0ec8753aadec997ed18b319df450f43f0132e187dfe26caa265a5c5d176fdd  job.lease_expired.v1.json
""".splitlines()
)


def line_of(path: Path) -> dict[str, Any]:
    line = decode(path.read_bytes().removesuffix(b"\n"))
    assert isinstance(line, dict)
    return line


def recorded(line: dict[str, Any]) -> RecordedEvent:
    header = line["header"]
    return RecordedEvent(
        position=header["position"],
        stream=header["stream"],
        stream_version=header["stream_version"],
        type=header["type"],
        recorded_at=0,
        observed_at=None,
        body_bytes=encode(line["body"]),
        salt=bytes.fromhex(line["salt"]),
        body_hash=bytes.fromhex(header["body_hash"]),
        prev_hash=bytes.fromhex(header["prev_hash"]),
        event_hash=bytes.fromhex(line["hash"]),
    )


def test_every_type_has_a_golden_instance() -> None:
    assert set(NAMES) == set(BY_TYPE) == {cls.TYPE for cls in EVENT_CLASSES}


def test_no_golden_instance_was_ever_edited() -> None:
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in FILES}
    assert found == DIGESTS
    sums = "".join(f"{digest}  {name}\n" for name, digest in DIGESTS.items())
    assert sorted(golden.SUMS.read_text().splitlines()) == sorted(sums.splitlines())


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_an_instance_decodes_and_encodes_to_its_very_bytes(path: Path) -> None:
    line = line_of(path)
    data = decode_data(recorded(line))
    assert path.stem == data.TYPE
    assert encode({**line, "body": {**line["body"], "data": data.to_data()}}) + b"\n" == (
        path.read_bytes()
    )


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_an_instance_fits_the_schema_that_the_catalogue_prints(path: Path) -> None:
    schema = catalog.data_schema(BY_TYPE[path.stem])
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(line_of(path)["body"]["data"])


def test_the_instances_are_one_unbroken_chain() -> None:
    lines = sorted((line_of(path) for path in FILES), key=lambda each: each["header"]["position"])
    head: bytes = GENESIS
    versions: dict[str, int] = {}
    for position, line in enumerate(lines, start=1):
        header = line["header"]
        stream = header["stream"]
        versions[stream] = versions.get(stream, 0) + 1
        assert header["position"] == position
        assert header["stream_version"] == versions[stream]
        assert bytes.fromhex(header["prev_hash"]) == head
        salt = bytes.fromhex(line["salt"])
        assert body_hash(salt, encode(line["body"])).hex() == header["body_hash"]
        head = event_hash(encode(header))
        assert line["hash"] == head.hex()


def test_the_golden_ledger_replays_to_the_same_bytes() -> None:
    rebuilt = {f"{type_}.json": line for type_, line in golden.build().lines()}
    for path in FILES:
        assert json.loads(rebuilt[path.name]) == json.loads(path.read_bytes()), path.name
        assert rebuilt[path.name] == path.read_bytes()


def test_an_unknown_type_is_refused_at_read_and_never_imported() -> None:
    event = recorded(line_of(FILES[0]))._replace(type="os.system.v1")
    with pytest.raises(LedgerError, match=r"knows no type os\.system\.v1") as caught:
        decode_data(event)
    assert caught.value.reason is Reason.EVENT_UNREADABLE
    assert caught.value.metadata["position"] == str(event.position)


def test_a_known_type_with_another_types_data_is_refused() -> None:
    event = recorded(line_of(golden.GOLDEN / "signal.defined.v1.json"))
    with pytest.raises(LedgerError, match="does not fit") as caught:
        decode_data(event._replace(type="model.retired.v1"))
    assert caught.value.reason is Reason.EVENT_UNREADABLE


def test_the_catalogue_and_the_schema_of_policies_are_current() -> None:
    assert catalog.CATALOG.read_text(encoding="utf-8") == catalog.catalog_text()
    assert catalog.POLICY_SCHEMA.read_text(encoding="utf-8") == schema_text()


def test_the_catalogue_names_every_type_its_stream_and_its_cause() -> None:
    text = catalog.CATALOG.read_text(encoding="utf-8")
    for cls in EVENT_CLASSES:
        assert f"### {cls.TYPE}\n" in text
        assert f"- Stream: `{cls.STREAM}`\n- Who may cause it: {cls.CAUSE}\n" in text
