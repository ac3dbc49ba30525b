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
e87e60e37a0425da8f0c0095db4ce68576d4a7e2dc818d85f5e68aa24fa5e2a0  policy.drafted.v3.json
e2e096e86885c58eec81f8a6a4a8eda9c002852178cb0381f556f610194b19da  requests.refused.v2.json
e226f98088ce2333a897d0b6d2d39c37def1d08dfd4c34b390c9ca61cfd88096  escalation.raised.v1.json
b5ac6cc21bf0c9f32a5aeb40104cc161f18b3f5892ad3ec8de40374a0f1af683  task.opened.v1.json
002dc705003df4fe0b00da2877fc02631b854d23f1b9957883876f63e42195df  escalation.escalated.v1.json
c082041076b2a25a4007491d614e6e89a3a337e94e611b25ffad587e769abe0b  escalation.acknowledged.v1.json
e1e4324114ed63ef35b24592fc9907f5055e2774ab8dcaa043e109bf0f1bedb7  task.taken.v1.json
311796932772aaa5da0f8b38d89d731b007ff05e289f127312fae2dc8be505e9  escalation.resolved.v1.json
bc1f868fe55ed3e8498911f45fc820c3b5865dc1cfd647985d494f8cbeaadcd4  task.overdue.v1.json
6125493c0f3a06f1e6786a1f9e5eba8b9cb1871c39a9d6e6315e29d9209b47ea  task.closed.v1.json
76265e324f4d834e5dd89c2a11e8baae8a30683a80dae18edce239a255e6a1a1  escalation.ended.v1.json
d1752713310b3397ac746b86058b27753f8553b8cfe3bd73fbe3218e4132ff1e  drill.recorded.v1.json
ab6ab223299f9b07a2601761ee04a9bb8cfe98d85c14e8e6a78427c63f0d1e97  signal.observed.v2.json
ab1a12dd46367d3c5ae76916a42fa0b8a56c99cee713ab24884a758640eff766  policy.submitted.v1.json
71de412bdea271cdb82f70c2dd9d066fb2b0b0b27ae99af92d98e3cd30331b1c  policy.approved.v1.json
1c19ebb5a76d250151132d8d9d83c81d38e8596bb39d9c72d670e7dab8b3cf1b  policy.approval_withdrawn.v1.json
d0902f9d8b2c926e6ccdd74e134c4c9c7490e176dc2f9d9a13b3c3fbde7a07a8  policy.rejected.v1.json
c37bf3a99b1572d2a4e831ffa831c83ba1a80e8c3c05acb8a2e753c6df6967be  policy.retired.v1.json
8f4bd97a0b0946341ab9002631bd7c7b0412b96f8181a749e27207e9f84ba6ff  policy.activated.v2.json
91e4f5391ea5dc9bb8c431925bb1473361c0bf97e03b0219cef4539f452c03a2  policy.scheduled.v1.json
ee8673d77038815e427d2593577f05f7c0824b258bc597e786d871e1131e647c  policy.schedule_withdrawn.v1.json
5d5894721313bd01d5f1a90dc92548ba614977cab8217231535cc3e16db4a596  policy.ratified.v1.json
f153f4e4d72ca580db719099fc2545e5627a6019e09c9773d6fb38f68cc953f5  shadow.begun.v1.json
731bd677e0e3c3f1347e04e3f8185b80bfb7667cdbb695e068635bc19bf54917  shadow.scored.v1.json
7b913d411e3dd50dd2e5cf7cb7ba46705a5963acc6c55114d7af12a601107cb0  shadow.decided.v1.json
e07e82b209de9bf5fca1105c4f2e250b41094780fc6682fba2ede9f32aa1f381  shadow.decided.v2.json
22b106003a93bdf3eb6387d3f9b1dbd16f4492c1918f949815d0887b99b44ff4  shadow.ended.v1.json
749ec393ef2166a7582d2d19407698d2a8d5f47b8fc08f3bb05ee1655aefd94b  policy.review_due.v1.json
b6c5ea0d8aa2e59ba16712a57b7c50026f340c6a6965c303cd55dd7f44668d96  shadow.planned.v1.json
85e479cee2ed40223d738aa82bd55d43a7504487a33fb1215b4242f3d07b5c18  budget.set.v1.json
125e18d8494f491ecb5c0920d23a0084b7a77dfe07760a2d8bd5ea6a6abc0225  budget.reserved.v1.json
8c477acb1f98bcf0e8e3ff28e497da0bd5b2ceecb8f8cd83aafb644241e8a565  budget.overspend_approved.v1.json
3e0d2e9185492a35fc1d61f8140cbb68422dc65dd5f1d97c4ef7478d55b0a625  budget.spent.v1.json
d26d1a1ef50e2573add38f5f3f787fb7b84c66b48dbf38df8eb8b16e7c09da05  budget.released.v1.json
1632036e5e3f375782a69eea51f57345eaa928c8889a3060174ccad09b2d7c00  service.accounted.v3.json
af8be990a077ba8c81683ac1d106eb2ab96fa30b0d8320b7a2e84ff4a982e42a  recipe.drafted.v1.json
6a5b501e16bd6ac07d58d9576cd261b483672eee3d20c052052b14e1d6c32487  recipe.approved.v1.json
644bd40f48af9aa5675aa6de44531e23552e4149cb973066fc680d9ad41c3b7b  recipe.rejected.v1.json
643c522364444b23045f7d8bd6d86c3c66e4cd4d55f4bdd2dc8268c2480a750f  recipe.retired.v1.json
42280c266b3bd6da573354dba745b6e3c4338d1553945aba3d0b60ed521dc649  benchmark.registered.v1.json
100f3cc762bc36b0829f678fcdcfa45a8f539f7e53a996d8b6111e008070fafa  benchmark.retired.v1.json
ab9961b76b0503c1e6c61056e8758b854439474a63442857d106350967a0dbb8  escalation.lapsed.v1.json
61f615624e6eb8fb8c6be665b982cad02a05c8d15aec6a7a0d6ab71a9ac4c052  task.lapsed.v1.json
7a5fa1c48bfcfaaa50a9d70217952b9f8469de3b45a9a05f93418348055ac110  policy.reviewed.v1.json
1206f4fe3f48823d7b3f4e08752b7deb1123984d9819e8e25e345ccf4ce05665  job.proposed.v1.json
3777079fe35f14f90d824035291cf8214262dd595a116e9bd041339820a44bae  job.approved.v1.json
afcf52081ab73f9128ec9c8eea53d407b35382ff62b6e2f27ecbc7c985c8cceb  job.leased.v1.json
aa0d2d69908f7088d553f9423cb35fe932178967f7cfeaa8eb40445979899507  job.lease_extended.v1.json
2cb72562e1523473eb0c5d4b9d989fc255c1ddb31e7778c6ead62f7ba96faeb5  gate.reported.v1.json
dd6821fcd059e3756ce2d151e4e53b31cb2101903b3b483ec757d07a24f98237  gate.judged.v1.json
acd55368ba8442b5e12da843a8d1802b86060c7a9cb2fc4e44dd9d55f24b2191  job.deployed.v1.json
404ec8dae1b3ee47ada4628c7e3af64d012c2d28f3e2b3d983b7b89c09460f42  job.cancelled.v1.json
14bdcf17277b49334b6bf9e4922dc6f14f2a4d4810f0939705b5d1a667bcde69  job.rolled_back.v1.json
6099a0537054175c4d78446fd7ad1002eba3c9719e08622949cbc5f429b6d271  job.closed.v1.json
836883b37af72c3d18377e510674d9f25cdfae96ae492fec1cd488870cdf91bb  job.denied.v1.json
6815ec556b23c4edd5b085b7f2d496b4bddeff7c291b8ac21afad717e3a46fc4  job.lease_expired.v1.json
2842e055d7ab837920d8f6cc0258aa4eade7087b285e97225c2df970dff33e9e  job.environment_recorded.v1.json
a476ae7f87258596344277e650cc2b57e8ca3146766da601b14ceb3db8a106c9  job.given_up.v1.json
c22362b278da232c0e285cd9ef1b530d6581f2536b8b80b8c36fca33fd8832f1  decision.overridden.v2.json
dc5f742fe80b7eb27c7dfa6bca695a1e16b0c83d91ac1e9efdb0814cdb0c194d  plan.made.v2.json
a94b6020789adcbb203e29c7da1f2de99db6ca1af49457b7fb4b9e5c08e0c65e  reuse.proposed.v1.json
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
