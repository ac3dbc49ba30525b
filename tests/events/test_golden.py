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
efc0b667f321f347368d84ede005eb9583a5c25fb8e985a6130100804b3b5030  escalation.raised.v1.json
f8befb509f52cbbd07127389f73f39a46c96d88c802d5db860c0a838fa97568c  task.opened.v1.json
71251ec218d2ead2da7fc7613355236c720824d44be67f1bf0924da3e37ff3a4  escalation.escalated.v1.json
43a47ef6eb78122c2ed6ba1a5fd050b32b616340d65d7cf6f5cd366bbc56e323  escalation.acknowledged.v1.json
2b8f93ef689771d4029088755d93e59cfbc29b86222e824f548d6c878d2ad15f  task.taken.v1.json
8c104ba4fb26dc12c1223a8ababb3dbc51a83acffa1ef122a53216ddaa957d1d  escalation.resolved.v1.json
ca8cf440b17f5e6151de85d8b9d2b11e28f4b8e1c60ed797b7fd4fb9c33ae08b  task.overdue.v1.json
6a6341ad0d7e103375ff7c80077e1b8ad05f22982a09567cf22ab6d0440b52ff  task.closed.v1.json
d92335dccc8d5ec461825c00cd78fadfeb7125c87166eaf807061f3ca500c3f3  escalation.ended.v1.json
46aaee64db0ad8035e799b78bab5b843bbe3dff2c80217c70984649290b3535f  drill.recorded.v1.json
0ca7d33fae5ac9ec79dd7cd05a36164c3399ff6499527f0e6c13b4e71270a0a7  signal.observed.v2.json
015e7bed013b1eb8c420db25ad4358bc3377545012f840bb0688e4c0c6015ae0  policy.submitted.v1.json
41aec312d3b125177db7d44bc039cffec17574ab0feefe4aa33f9182445fcac7  policy.approved.v1.json
8829a113a85ca186e2828c1f79c683186a3cb509ecb77b6af1e913417fce418e  policy.approval_withdrawn.v1.json
03d116eb27b26f0d8075e08e093ff4efa8bb30d3ae729b444498ccd85328bffb  policy.rejected.v1.json
993447c848254d6ef305be3be03c2803feb853b6bf3ca4564808eb999b1a4ebd  policy.retired.v1.json
5a3e1f37887b0303a3e26bd9a8e35b852a0503015a9b601a6c10326a478aa136  policy.activated.v2.json
f6f4179350fbbf2ce738cad1fdef0bfb22f370a73857f54f8558667fba2369d2  policy.scheduled.v1.json
92d41bdb23267c829b558d67c8d4135e4c676696697b47f023fc627f262e4938  policy.schedule_withdrawn.v1.json
6ea97eacceb56ceac25be823c34ace07c54a6b74ea791f19ee6c331aa7cdb8a9  policy.ratified.v1.json
4edd85f97a9801eb0dd830971cfe542ff99f4703accd71d60b71f0bf8e7f8e48  shadow.begun.v1.json
fc372bdfc154462e8c28ddb5499631842076350839616b0524fde9336c4ae3c2  shadow.scored.v1.json
8f7b43ae2876e06c82a02c8b26cc8fe8db69b360b3492b1f0376524c83e05127  shadow.decided.v1.json
fa008475e59e2ebc65705fd62cc0be0cfa60a3622ac65401797577769df31ac5  shadow.decided.v2.json
80406cc42e85f9c777381b887f885bb97ef83290158148c4a2317b75358d8320  shadow.ended.v1.json
cea1eb516c57b61d35be0564f151876ae7b291d6432abbf0a720d1549c088c7e  policy.review_due.v1.json
286a4c3055b94ca7fbb51ef22df6fc1a068b7a745d86d83cfbc181cfef1965a7  shadow.planned.v1.json
c40bd69318c0acdc7308fabf2f86de32cdf60b4a875a30e6d351b1bd01ab4145  budget.set.v1.json
d8e57b879ccfaafeda284786867f931ea950397383bda76082458eb19ff11f73  budget.reserved.v1.json
4655fee3c22c38d36725bd281e4e7867608dee1efc9e5509adc07906184c05c5  budget.overspend_approved.v1.json
c15a1a3c14868ef67d189326272f704d5ba7bf9259cf48a84e698b9976249809  budget.spent.v1.json
54e7179946507b59eb0f3042d1a98191af7f51a115ec4c78ace5031a4f84cf47  budget.released.v1.json
dd4a57a76ce83f13deae263c9754317fcf44e92031e0ebea36ac80354d03018c  service.accounted.v3.json
5a8d07be3d89a69e61b5bfd2671c834a5739dbce100d59f99cbf762e6d7d59ed  recipe.drafted.v1.json
ed758feea6feef12e30379bd757c7a3db7fb1775535d4ee49626bd060481134a  recipe.approved.v1.json
97b85f6bb198a3aac15e38d55b9a5bd6d143964bea00a7012ec2d961b8786b92  recipe.rejected.v1.json
17128b8f2502407237391304ba6b880e44be49caee8aff28e3f68851def004e4  recipe.retired.v1.json
5eeab53e6db082f8ed3e35e8009b2b4edd8ee49f76f8d8d14652e6a1dc4650be  benchmark.registered.v1.json
663f8b1f208b271ff10cc8f8374bb8312b45e35d86b488807c447cf8dbbd8966  benchmark.retired.v1.json
6893a050fd2730b3ec5dd3b250d8fcf4af124ba2ce12659eecbac8e1bee1e3d5  escalation.lapsed.v1.json
8f10d58a1fa4ada7c8b76243fa8b429182facbcdc19f86500ed00ab11392c8bf  task.lapsed.v1.json
7ede607f775664e06f8a69249dd36f96c8bc1a9803096ca2cc3350824453fa24  policy.reviewed.v1.json
fba18e152c6563b26edf24dfa5eec5fc376771167ca020e3ffccb5d9e88ff81a  job.proposed.v1.json
b1462e4768b39e593c231b02cd9b535bc5396299c5265282538f53dd6446a122  job.approved.v1.json
c6d97df0724cde430f66287d5f017efeef4aab0895f862292ade6422780fbdf8  job.leased.v1.json
bf3b99eac89fa1630b621e64da236f2d404f3f0d754d2e20e9a244184b55fb51  job.lease_extended.v1.json
75faaee6aecf3b656f9299f12d76ecc55374f2d0a6e5b17509ad53688c73c1e5  gate.reported.v1.json
895c1f4ad6429f13d4bd8d164a0c9877159ac3bfae881b0779bd9c681e6ee245  gate.judged.v1.json
5c40022f1198632ab4ab034d8869ab0eb5cecdf5945fb1e6eb656bd0ff41b6c2  job.deployed.v1.json
d55bc4d3e3d22256d3d4091a3e0bc1a8944f42af7fda73a50d123e86824b0709  job.cancelled.v1.json
2e1becb94eeddf8d709771fd7bcec9b5022fc6c0a3a5bd40a8615d8fe6e3439e  job.rolled_back.v1.json
b0c0c530b25b1c0a53c2029d48de2589bc9d30b95f24b971464f903541cbfdf4  job.closed.v1.json
f5b6573a92a181d260f8ca0cea894b8e28a8dd3cc4cf195bec8f8836c939fb81  job.denied.v1.json
c5ac74c572e97c8e8f7d18a48b95de0ed02caa4aab73a47707609a77649457d3  job.lease_expired.v1.json
edc23cb1d48a3c3ea9c6ff10decf385ecfb2d7609444005e8acc75bf6c284422  decision.overridden.v2.json
892120f87ae330651ff17673de1ed4581361d108c19d095c698f207146325051  plan.made.v2.json
aa102a93506e341c8bf3538963b99df7c72dba454dadf3bb201402435778624d  reuse.proposed.v1.json
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
