"""Which message belongs to which transaction, and requests that wait for a name."""

from __future__ import annotations

import pytest

from signallers import CountedIds
from vivavoce.sip.effects import Hop, Resolve, Send
from vivavoce.sip.errors import MalformedMessage
from vivavoce.sip.matching import Arrived, Responded, Transactions, Unanswered
from vivavoce.sip.message import Headers, Request, Response
from vivavoce.sip.parsing import parse_message
from vivavoce.sip.routing import Draft, Local
from vivavoce.sip.timers import DEFAULT_TIMERS

SOURCE = Hop("udp", "10.0.0.9", 5060)


def transactions() -> Transactions:
    local = {"udp": Local("10.0.0.1", 5060), "tcp": Local("10.0.0.1", 5060)}
    return Transactions(DEFAULT_TIMERS, local, CountedIds(""))  # type: ignore[arg-type]


def request(method: str, branch: str = "z9hG4bK1", number: int = 1, to: str = "<sip:b@x>") -> Request:
    headers = Headers.of(
        ("Via", f"SIP/2.0/UDP 10.0.0.9:5060;branch={branch}"),
        ("From", "<sip:a@x>;tag=a"),
        ("To", to),
        ("Call-ID", "call"),
        ("CSeq", f"{number} {method}"),
    )
    return Request(method, "sip:b@x", headers)


def draft(method: str, uri: str = "sip:b@10.0.0.9") -> Draft:
    return Draft(Request(method, uri, request(method).headers.without("Via")), uri)


def answer(sent: Send, status: int) -> Response:
    headers = parse_message(sent.data).headers.only("Via", "From", "To", "Call-ID", "CSeq")
    return Response(status, "", headers)


def test_the_same_branch_of_another_sender_is_another_transaction() -> None:
    found = transactions()
    found.arrive(request("OPTIONS"), SOURCE, 0.0)
    other = request("OPTIONS")
    other = Request("OPTIONS", other.uri, other.headers.replaced("Via", "SIP/2.0/UDP 10.0.0.8;branch=z9hG4bK1"))
    assert found.repeated(request("OPTIONS"), 0.1) == []
    assert found.repeated(other, 0.1) is None


def test_two_methods_with_one_branch_are_two_transactions() -> None:
    found = transactions()
    found.arrive(request("INVITE"), SOURCE, 0.0)
    assert found.repeated(request("INFO"), 0.1) is None


def test_a_request_of_before_rfc_3261_is_told_by_its_headers() -> None:
    found = transactions()
    arrived = found.arrive(request("INVITE", branch="1"), SOURCE, 0.0)
    assert isinstance(arrived, Arrived)
    assert found.repeated(request("INVITE", branch="1"), 0.1) == []
    assert found.repeated(request("INVITE", branch="1", number=2), 0.1) is None
    found.respond(arrived.key, Response(486, "", request("INVITE", branch="1").headers), 0.2)
    # Its ACK has a To tag that the INVITE had not.
    assert found.repeated(request("ACK", branch="1", to="<sip:b@x>;tag=b"), 0.3) == []
    assert found.receive_time(40.0) == []
    assert len(found) == 0


def test_a_response_has_to_have_one_via_and_its_own_method() -> None:
    found = transactions()
    (sent,) = found.send(draft("OPTIONS"), "me", 0.0)
    assert isinstance(sent, Send)
    good = answer(sent, 200)
    twice = Response(200, "", good.headers.added("Via", "SIP/2.0/UDP 10.0.0.7;branch=z9hG4bK7"))
    assert found.receive_response(twice, SOURCE, 0.1) == []
    assert found.receive_response(Response(200, "", good.headers.replaced("CSeq", "1 BYE")), SOURCE, 0.1) == []
    (responded,) = found.receive_response(good, SOURCE, 0.1)
    assert isinstance(responded, Responded)
    assert (responded.owner, responded.hop) == ("me", SOURCE)


def test_requests_to_one_name_wait_for_one_answer_in_their_order() -> None:
    found = transactions()
    lookup = Resolve("example.com", None, None, False)
    assert found.send(draft("INFO", "sip:b@example.com"), "me", 0.0) == [lookup]
    assert found.send(draft("BYE", "sip:b@example.com"), "me", 0.0) == []
    out = found.resolved(lookup, (SOURCE,), 1.0)
    methods = [getattr(parse_message(each.data), "method", "") for each in out if isinstance(each, Send)]
    assert methods == ["INFO", "BYE"]


def test_places_of_transports_that_are_not_spoken_are_left_out() -> None:
    found = transactions()
    lookup = Resolve("example.com", None, None, False)
    found.send(draft("BYE", "sip:b@example.com"), "me", 0.0)
    (failed,) = found.resolved(lookup, (Hop("tls", "10.0.0.9", 5061),), 1.0)
    assert isinstance(failed, Unanswered)
    assert (failed.owner, failed.status) == ("me", 503)
    with pytest.raises(MalformedMessage):
        found.send(draft("BYE", "sips:b@10.0.0.9"), "me", 0.0)


def test_a_lost_connection_fails_what_waits_on_it_and_nothing_else() -> None:
    found = transactions()
    stream = Hop("tcp", "10.0.0.9", 5060)
    found.send(draft("OPTIONS", "sip:b@10.0.0.9;transport=tcp"), "one", 0.0)
    found.send(draft("OPTIONS"), "two", 0.0)
    (failed,) = found.unreachable(stream, 1.0)
    assert isinstance(failed, Unanswered)
    assert (failed.owner, failed.status) == ("one", 503)
    assert len(found) == 1


def test_a_late_answer_to_a_request_that_is_gone_has_no_effect() -> None:
    found = transactions()
    arrived = found.arrive(request("REFER", to="<sip:b@x>;tag=b"), SOURCE, 0.0)
    found.receive_time(32.0)
    assert found.respond(arrived.key, Response(200, "", arrived.request.headers), 33.0) == []
    assert found.is_answered(arrived.key)
