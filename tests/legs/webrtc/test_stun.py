"""Connectivity checks as bytes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vivavoce.legs.webrtc import stun

PASSWORD = b"VOkJxbRl1RmTxUk/WvJxBt"

# RFC 5769 section 2.1: a request with a long software name, signed with the password above.
SAMPLE = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e7400240004"
    "6e0001ff80290008932ff9b151263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56"
    "781ef2b5b2d3f249c1b571a280280004e57a3bcf"
)


def test_the_sample_request_of_the_standard_is_read_and_its_signature_holds() -> None:
    message = stun.parse(SAMPLE)
    assert message is not None
    assert (message.kind, message.username, message.number(stun.PRIORITY)) == (stun.REQUEST, "evtj:h6vY", 0x6E0001FF)
    assert message.is_signed_with(PASSWORD)
    assert not message.is_signed_with(b"another")


def test_a_message_of_which_any_bit_was_turned_is_refused_or_unsigned() -> None:
    for at in range(len(SAMPLE) - 8):  # the fingerprint behind the signature is not signed
        damaged = bytearray(SAMPLE)
        damaged[at] ^= 0x10
        message = stun.parse(bytes(damaged))
        assert message is None or not message.is_signed_with(PASSWORD)


@given(
    st.sampled_from([stun.REQUEST, stun.RESPONSE, stun.ERROR]),
    st.binary(min_size=12, max_size=12),
    st.dictionaries(st.sampled_from([stun.USERNAME, stun.PRIORITY, 0x1234, 0x8022]), st.binary(max_size=40)),
)
def test_what_was_built_is_read_again(kind: int, transaction_id: bytes, attributes: dict[int, bytes]) -> None:
    message = stun.parse(stun.build(kind, transaction_id, list(attributes.items()), PASSWORD))
    assert message is not None
    assert message.is_signed_with(PASSWORD)
    kept = {attribute: value for attribute, value in message.attributes.items() if attribute != 0x0008}
    assert (message.kind, message.transaction_id, kept) == (kind, transaction_id, attributes)


@given(st.ip_addresses(), st.integers(0, 65535), st.binary(min_size=12, max_size=12))
def test_addresses_survive(address: object, port: int, transaction_id: bytes) -> None:
    packed = stun.pack_address(str(address), port, transaction_id)
    found = stun.unpack_address(packed, transaction_id)
    assert found is not None
    assert found[1] == port
    assert stun.pack_address(found[0], port, transaction_id) == packed


@given(st.binary(max_size=200))
def test_no_datagram_is_too_strange_to_be_looked_at(data: bytes) -> None:
    message = stun.parse(data)
    assert message is None or not message.is_signed_with(PASSWORD)


def test_attributes_behind_the_signature_do_not_count() -> None:
    data = stun.build(stun.REQUEST, bytes(12), [(stun.USERNAME, b"a:b")], PASSWORD)[:-8]
    late = data + stun.pack("!HHI", stun.PRIORITY, 4, 7)
    late = late[:2] + stun.pack("!H", len(late) - 20) + late[4:]
    message = stun.parse(late)
    assert message is not None
    assert message.is_signed_with(PASSWORD)
    assert message.number(stun.PRIORITY) is None
