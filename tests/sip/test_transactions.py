"""The four machines by themselves: every timer of RFC 3261 table 4 and RFC 6026, to the millisecond."""

from __future__ import annotations

from typing import Any

import pytest

from vivavoce.sip.effects import Hop, Send
from vivavoce.sip.message import Headers, Request, Response
from vivavoce.sip.parsing import parse_message
from vivavoce.sip.timers import DEFAULT_TIMERS, Agenda
from vivavoce.sip.transactions import Failed, InviteClient, InviteServer, OtherClient, OtherServer, Passed

UDP = Hop("udp", "10.0.0.2", 5060)
TCP = Hop("tcp", "10.0.0.2", 5060)


def request(method: str) -> Request:
    headers = Headers.of(
        ("Via", "SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1"),
        ("Route", "<sip:proxy;lr>"),
        ("Max-Forwards", "70"),
        ("From", "<sip:a@10.0.0.1>;tag=a"),
        ("To", "<sip:b@10.0.0.2>"),
        ("Call-ID", "call"),
        ("CSeq", f"7 {method}"),
    )
    return Request(method, "sip:b@10.0.0.2", headers)


def response(status: int, method: str = "INVITE") -> Response:
    headers = request(method).headers.without("Route", "Max-Forwards")
    return Response(status, "", headers.replaced("To", "<sip:b@10.0.0.2>;tag=b"))


def short(steps: list[Any]) -> list[str]:
    out: list[str] = []
    for step in steps:
        if isinstance(step, Send):
            message = parse_message(step.data)
            out.append(f"send {message.method if isinstance(message, Request) else message.status}")
        elif isinstance(step, Passed):
            out.append(f"pass {step.response.status}")
        else:
            assert isinstance(step, Failed)
            out.append(step.cause)
    return out


def wait(machine: Any, until: float = 1000.0) -> list[tuple[float, list[str]]]:
    """Run a machine's timers until nothing is due."""
    out: list[tuple[float, list[str]]] = []
    while (due := machine.deadline) is not None and due <= until:
        out.append((round(due, 3), short(machine.receive_time(due))))
    return out


# ------------------------------------------------------------------------------------------------ INVITE client


def test_an_invite_is_sent_again_at_doubling_waits_and_given_up_after_64_times_t1() -> None:
    client = InviteClient(request("INVITE"), UDP, DEFAULT_TIMERS)
    assert short(client.start(0.0)) == ["send INVITE"]
    resent = [(at, ["send INVITE"]) for at in (0.5, 1.5, 3.5, 7.5, 15.5, 31.5)]
    assert wait(client) == [*resent, (32.0, ["timeout"])]
    assert client.state == "terminated"


def test_an_invite_on_a_connection_is_sent_once() -> None:
    client = InviteClient(request("INVITE"), TCP, DEFAULT_TIMERS)
    client.start(0.0)
    assert wait(client) == [(32.0, ["timeout"])]


def test_an_invite_that_is_answered_provisionally_waits_for_ever() -> None:
    client = InviteClient(request("INVITE"), UDP, DEFAULT_TIMERS)
    client.start(0.0)
    assert short(client.receive(response(180), 0.2)) == ["pass 180"]
    assert client.deadline is None
    assert short(client.receive(response(183), 100.0)) == ["pass 183"]


def test_a_refusal_is_acknowledged_each_time_it_comes_and_passed_once() -> None:
    client = InviteClient(request("INVITE"), UDP, DEFAULT_TIMERS)
    client.start(0.0)
    assert short(client.receive(response(486), 1.0)) == ["send ACK", "pass 486"]
    assert short(client.receive(response(486), 2.0)) == ["send ACK"]
    assert short(client.receive(response(180), 2.0)) == []
    assert wait(client) == [(33.0, [])]
    assert client.state == "terminated"


def test_the_ack_of_a_refusal_goes_the_way_of_its_invite() -> None:
    client = InviteClient(request("INVITE"), UDP, DEFAULT_TIMERS)
    client.start(0.0)
    (sent, _) = client.receive(response(404), 1.0)
    assert isinstance(sent, Send)
    ack = parse_message(sent.data)
    assert isinstance(ack, Request)
    assert (ack.method, ack.uri) == ("ACK", "sip:b@10.0.0.2")
    assert ack.headers.fields == (
        ("Via", "SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1"),
        ("Route", "<sip:proxy;lr>"),
        ("Max-Forwards", "70"),
        ("From", "<sip:a@10.0.0.1>;tag=a"),
        ("To", "<sip:b@10.0.0.2>;tag=b"),
        ("Call-ID", "call"),
        ("CSeq", "7 ACK"),
        ("Content-Length", "0"),
    )


def test_a_refusal_on_a_connection_ends_at_once() -> None:
    client = InviteClient(request("INVITE"), TCP, DEFAULT_TIMERS)
    client.start(0.0)
    assert short(client.receive(response(486), 1.0)) == ["send ACK", "pass 486"]
    assert (client.state, client.deadline) == ("terminated", None)


def test_every_2xx_is_passed_for_64_times_t1() -> None:
    client = InviteClient(request("INVITE"), UDP, DEFAULT_TIMERS)
    client.start(0.0)
    assert short(client.receive(response(200), 1.0)) == ["pass 200"]
    assert short(client.receive(response(200), 2.0)) == ["pass 200"]
    assert short(client.receive(response(486), 3.0)) == []
    assert wait(client) == [(33.0, [])]
    assert short(client.receive(response(200), 34.0)) == []


def test_an_invite_that_cannot_be_sent_fails_at_once_and_once() -> None:
    client = InviteClient(request("INVITE"), TCP, DEFAULT_TIMERS)
    client.start(0.0)
    assert short(client.unreachable()) == ["unreachable"]
    assert short(client.unreachable()) == []
    assert client.deadline is None


# ------------------------------------------------------------------------------------------------ other client


def test_a_request_is_sent_again_at_waits_up_to_t2() -> None:
    client = OtherClient(request("BYE"), UDP, DEFAULT_TIMERS)
    assert short(client.start(0.0)) == ["send BYE"]
    times = [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert wait(client) == [*[(at, ["send BYE"]) for at in times], (32.0, ["timeout"])]


def test_a_request_that_is_answered_provisionally_is_sent_again_every_t2() -> None:
    client = OtherClient(request("REGISTER"), UDP, DEFAULT_TIMERS)
    client.start(0.0)
    assert short(client.receive(response(100, "REGISTER"), 0.1)) == ["pass 100"]
    assert wait(client, 13.0) == [(at, ["send REGISTER"]) for at in (0.5, 4.5, 8.5, 12.5)]


def test_a_final_response_is_passed_once_and_absorbed_for_t4() -> None:
    client = OtherClient(request("BYE"), UDP, DEFAULT_TIMERS)
    client.start(0.0)
    assert short(client.receive(response(200, "BYE"), 1.0)) == ["pass 200"]
    assert short(client.receive(response(200, "BYE"), 2.0)) == []
    assert wait(client) == [(6.0, [])]
    assert client.state == "terminated"


def test_a_request_on_a_connection_is_sent_once_and_over_with_its_response() -> None:
    client = OtherClient(request("BYE"), TCP, DEFAULT_TIMERS)
    client.start(0.0)
    assert client.deadline == 32.0
    assert short(client.receive(response(200, "BYE"), 1.0)) == ["pass 200"]
    assert (client.state, client.deadline) == ("terminated", None)


# ------------------------------------------------------------------------------------------------ INVITE server


def test_100_is_said_when_nothing_else_was_within_200_ms() -> None:
    server = InviteServer(request("INVITE"), UDP, None, DEFAULT_TIMERS, 0.0)
    assert short(server.receive_again()) == []
    assert wait(server) == [(0.2, ["send 100"])]
    assert short(server.receive_again()) == ["send 100"]


def test_no_100_is_said_after_180() -> None:
    server = InviteServer(request("INVITE"), UDP, None, DEFAULT_TIMERS, 0.0)
    assert short(server.respond(response(180), 0.1)) == ["send 180"]
    assert server.deadline is None
    assert short(server.receive_again()) == ["send 180"]


def test_a_refusal_is_sent_again_until_the_ack() -> None:
    server = InviteServer(request("INVITE"), UDP, None, DEFAULT_TIMERS, 0.0)
    assert short(server.respond(response(486), 0.0)) == ["send 486"]
    assert wait(server, 6.0) == [(0.5, ["send 486"]), (1.5, ["send 486"]), (3.5, ["send 486"])]
    assert short(server.receive_again()) == ["send 486"]
    assert server.receive_ack(6.0) is False
    assert short(server.receive_again()) == []
    assert wait(server) == [(11.0, [])]
    assert server.state == "terminated"


def test_a_refusal_that_nobody_confirms_ends_after_64_times_t1() -> None:
    server = InviteServer(request("INVITE"), UDP, None, DEFAULT_TIMERS, 0.0)
    server.respond(response(486), 0.0)
    times = [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert wait(server) == [*[(at, ["send 486"]) for at in times], (32.0, [])]


def test_a_refusal_on_a_connection_is_sent_once() -> None:
    server = InviteServer(request("INVITE"), TCP, None, DEFAULT_TIMERS, 0.0)
    server.respond(response(486), 0.0)
    assert server.deadline == 32.0
    server.receive_ack(1.0)
    assert (server.state, server.deadline) == ("terminated", None)


def test_after_a_2xx_requests_are_absorbed_and_acks_go_to_the_dialog() -> None:
    server = InviteServer(request("INVITE"), UDP, None, DEFAULT_TIMERS, 0.0)
    assert short(server.respond(response(200), 1.0)) == ["send 200"]
    assert short(server.receive_again()) == []
    assert server.receive_ack(1.5) is True
    assert short(server.respond(response(200), 2.0)) == ["send 200"]
    assert short(server.respond(response(486), 2.0)) == []
    assert wait(server) == [(33.0, [])]
    assert short(server.respond(response(200), 34.0)) == []


def test_responses_tell_where_to_connect_when_the_connection_is_gone() -> None:
    fallback = Hop("tcp", "10.0.0.2", 5080)
    server = InviteServer(request("INVITE"), TCP, fallback, DEFAULT_TIMERS, 0.0)
    (sent,) = server.respond(response(200), 0.0)
    assert isinstance(sent, Send)
    assert (sent.hop, sent.fallback) == (TCP, fallback)


# ------------------------------------------------------------------------------------------------ other server


def test_a_request_that_comes_again_is_answered_again_for_64_times_t1() -> None:
    server = OtherServer(request("BYE"), UDP, None, DEFAULT_TIMERS, 0.0)
    assert short(server.receive_again()) == []
    assert short(server.respond(response(200, "BYE"), 1.0)) == ["send 200"]
    assert short(server.receive_again()) == ["send 200"]
    assert short(server.respond(response(500, "BYE"), 1.0)) == []
    assert wait(server) == [(33.0, [])]
    assert server.state == "terminated"


def test_a_request_on_a_connection_is_over_with_its_response() -> None:
    server = OtherServer(request("BYE"), TCP, None, DEFAULT_TIMERS, 0.0)
    server.respond(response(200, "BYE"), 1.0)
    assert (server.state, server.deadline) == ("terminated", None)


def test_a_request_that_is_never_answered_is_forgotten_when_nobody_waits_any_more() -> None:
    server = OtherServer(request("REFER"), UDP, None, DEFAULT_TIMERS, 0.0)
    assert wait(server) == [(32.0, [])]
    assert server.state == "terminated"


# ------------------------------------------------------------------------------------------------ agenda


def test_the_agenda_gives_what_is_due_in_its_order() -> None:
    agenda = Agenda()
    for key, due in (("b", 2.0), ("a", 1.0), ("c", 3.0)):
        agenda.set(key, due)
    agenda.set("a", 2.5)
    agenda.set("c", None)
    assert agenda.deadline == 2.0
    assert [agenda.take(2.4), agenda.take(2.4), agenda.take(9.0), agenda.take(9.0)] == ["b", None, "a", None]


@pytest.mark.parametrize("times", [1000])
def test_the_agenda_does_not_grow_by_times_that_change(times: int) -> None:
    agenda = Agenda()
    for at in range(times):
        agenda.set("a", float(at))
    assert len(agenda._heap) < 200
    assert agenda.deadline == times - 1
