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
f350b44a83cf69712df39f838d3522f28ab5e88e627ce70f0a1b06feb38d08c8  policy.drafted.v3.json
002179d14d2389945f20f68968ed59bd4b8865c240b19c3f927ac3606ae44d45  requests.refused.v2.json
2ec009ade61a43718c37bbc97cace2f35adf4f7c42cf4a9a487ec03896a0a32b  escalation.raised.v1.json
decb0b3c9c209280197b8b9504aa365c49ff64a19c828b5bd2a86faf5f3d2df1  task.opened.v1.json
a84e2469516eaf4b68f742f12b63401be8a1caaeb8a9c0d02b8ca01c713128f0  escalation.escalated.v1.json
3c564e5c2dbf88970568c0193a5bbe33605ea59e19d55ae793d91def9bf65150  escalation.acknowledged.v1.json
4a8fb4a313b214517c44e7b01ef6b8cad846497fa0a41e435c6e3c2121d92049  task.taken.v1.json
cb8242d3c51affc419c5b4782b2b7deedb7cd8b849cb586a6dc65674376b9b1e  escalation.resolved.v1.json
50f4298cec105453cdb06afab1c0b919e85bc4739e48526b633ba483a70e05fb  task.overdue.v1.json
4d7f654b387191758dcc7013d4c6dea882cbf16396001cce4b784f0966610c13  task.closed.v1.json
19fc2424ed57075c84e72273f4162a17a2a9aeb18d134dbf0cfe7e623c9e4a13  escalation.ended.v1.json
8b1535d20dce9abc6329947598a62b79dfc23550b52f4e46bc8db0f7f81b579b  drill.recorded.v1.json
a0ae4805d0a84c36efd2f82c6c0da0b3e4e0062cc82d670e38b6ab3208d54ea3  signal.observed.v2.json
9ee329b4bf164fd59dc5db749e4e0215f1f12e5c772e42e436582b41f9fe241b  policy.submitted.v1.json
f649bd35b0eded764604ed4ab7c9f3223f986f8066b4db0942e38db2f799fee4  policy.approved.v1.json
0eab33c75702d70837565c3cad2c9dc5a69e75f1bf7af5bc84af51b029cf7fb8  policy.approval_withdrawn.v1.json
7759cf821983158e9df89f24639346452f405223b87fa189787cb41fb429b643  policy.rejected.v1.json
59e8d812de8ec2e6cd0e030513e7c513ba2d47bc16b488c81d67b7e2b1a2a23e  policy.retired.v1.json
98cfc5efdfa63a99e352767d47d039a0cc6849eeb10fb8cecb2e8d33938d7f22  policy.activated.v2.json
4bd3550fe51b76a2b7a1eb0e11b49bd58af66d0ed762cba46089461fd909387b  policy.scheduled.v1.json
da5f5902e846f69b25032891415b02147a5cf003316c5ff8e2dd9d0c8194fd79  policy.schedule_withdrawn.v1.json
25e19c69e049733d209297aa0326832f8e0914ab7d29746c43aadfad2e7c992e  policy.ratified.v1.json
e4a01a04ab08c4a499a67875850c7e361fc239b1a63972295e52f74a683edf8b  shadow.begun.v1.json
c9c99e67e7ed0f2af1452c2d6ebdf31373a33b9fbbc89e06d1b53a7404f65040  shadow.scored.v1.json
c38deb02b72b6d0c86b9f9c54396d4b4b91c5f7b0fc36e8ef7b02089a1df4c9f  shadow.decided.v1.json
8f6f8dfa0fe9c7ef2a06b204864d8aa493e0fa52cc4c19520b86242c58057d3c  shadow.decided.v2.json
b4c514a39aa64d6bd530ab311d64e636425ed78f97753c320574a73420390171  shadow.ended.v1.json
b5a38b03f6718fc93f134df7e006c528473f0836ae1b5445728095c2d0d0c679  policy.review_due.v1.json
d181204c7830c848db581cc1317ad76ba63535894410c490e924c2ac1d1bd13e  shadow.planned.v1.json
64d548b9a42ad01541e704f7b82651b9be140b11b611f19b5a07016f76324ae9  budget.set.v1.json
fedf11c0282a0a7338ca3309f77293edacd9604062f8cb009f86c3cfde0e40aa  budget.reserved.v1.json
3178c6426deccde2125c58e2250f84bbf329f22298469b4bd031daeb3b5f939b  budget.overspend_approved.v1.json
e6e7085f43326914cf9ed0889932bd1c6641403d550a00af047b57206bf5c65a  budget.spent.v1.json
ce051f6c5d33345251fd85ebbc769dd943d7c66c4b145ed872e9bb2fe2f2f86b  budget.released.v1.json
89b59832a1372b851ccc0ff79caa5f5b371c5e988932f2151563d01e236c9815  service.accounted.v3.json
b7f31a3a25a912641794ab67b4632a24c012eb25cb64691b8c40ee52a2fa9267  recipe.drafted.v1.json
50f75ca274a626cd0dc752692119d38c3d72eed223a20c31ef586eaca69b9c5f  recipe.approved.v1.json
a500e3e66fe561785fbb75f8d6881395f38527f53c96763407cc6a6161f66736  recipe.rejected.v1.json
30a4ae097075e53825f95e5db457f6f9cbb60e216097508c83a76cffd8548672  recipe.retired.v1.json
671cd52ebe03942e5e56a741a75bdc5cfed38314a7a18f18deeb1c71d7787e14  benchmark.registered.v1.json
e6b1558bfe64bd0bedc00732bc14215f05b640dfcf9e97d4d3b37250999e595e  benchmark.retired.v1.json
af7a0c6b0575f2842baea531426863072add0181e9d403aac3c4451ab5ff438b  escalation.lapsed.v1.json
1fab103d55278e880ee14bba7e31fb9e7ec3056853f3a86482a8a3eaefc527ee  task.lapsed.v1.json
c7985bc79311df9dc2ee69db484c9f2b9a5626b4e194964ff897e2219b4524cb  policy.reviewed.v1.json
0283000c88c74e0d5ba4c7953fc5b5a6f98356ff8e1a37b7a7c2a39558fc59fe  job.proposed.v1.json
07547e0cb98af163f119b0f280ab560201d6b71bff6f9162259404282732d299  job.approved.v1.json
bd560a67f444d632c1a1c7513c3660c279e686390f69c07f3d0efee052be1553  job.leased.v1.json
d0146370dfb0a6ec99fd8fe436d5a881298fd39922915ffd02d3bfa40dcdd45e  job.lease_extended.v1.json
2d2df4b1c6f467de05fdb957db180fd1520a19816a8557e9ffadcdfd9e12b4c8  gate.reported.v1.json
8e69fd5a7810ce76f5a49f450379a13e0ff5d03e837919a47fb58adb14c93623  gate.judged.v1.json
d394c783e4882aad5b27887ded0f32ffdb4258e16a73f641373ce5dd1cceb4b8  job.deployed.v1.json
b5780fe828bebefcabfff7e971c364e86c5d0c8d19564ee9db10531a8bf9a9c2  job.cancelled.v1.json
fc12303e983fb292215a91e931b1b27dad5787a2dabf9bde96d7e2c489e352b2  job.rolled_back.v1.json
7c643783303dff78514ebfb51410394a8db9b72d7c5e9d26c8eb896f02e8ba56  job.closed.v1.json
8339f626a9041893d6835347063366820553cc2ec0b9ac00537cbcfeab63b95f  job.denied.v1.json
8d68ab2f33f634702c9272c95ec8f05bc62a772b8644eeb2ad2657c570965db6  job.lease_expired.v1.json
fb9c34834ae7ae8cb14156499f876ddc7974fa09ba9e319efb107cfcd3a250c2  job.environment_recorded.v1.json
99c98df6c49e8324db538dc3e4dda5253b3eaf7de5fcb348d2a2cbdbb505647e  job.given_up.v1.json
323df3e284ede11cc9220dd1a2a2883fd9665f5114fd854b00f6af9e13484944  decision.overridden.v2.json
eaa67fb121a378dbd526fc2d37a600d65dc1fcae69699a0d90ac8e228f77b5c5  plan.made.v2.json
023016802cc8a4425fa15d7f6c3894de4463dcd801156cc1b09fb178ff5df24c  reuse.proposed.v1.json
616a49e58e86dc6730df4f2510dbee5c89fc7f93b03d8144d643e4d9de14a9d3  plan.scheduled.v1.json
377e0b1bd580ee774a99d86a684d3dc0995eeb9d334140997534841216b0fdb9  deployment.explained.v1.json
653c235b6111b770670d625b3857d375d4bfce27fc27fa4f7b1d5f0563c31b08  job.return_overdue.v1.json
499d52ff817c62efc090a1d4fa1b66b0033146f3549f8d2ddf836db228c37a46  job.lapsed.v1.json
f3ca3341c787192ab2c3fd44e31ece75c087fc2f65f8eb0ccec49edafa3956bc  roll_back.asked.v1.json
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
