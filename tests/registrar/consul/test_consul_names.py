"""Names below .consul: what SRV, A and AAAA answer, what fits, and what garbage gets."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Any

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storagebox.registrar.consul import names
from storagebox.registrar.consul.catalog import Catalog
from storagebox.registrar.consul.definitions import Check, Node, Service, Weights
from storagebox.registrar.consul.dns import DnsServer

TIMED = False


def catalog() -> Catalog:
    made = Catalog(first_index=7)
    made.put_node(Node("n1", "10.0.0.9"))
    made.put_node(Node("odd.node", "10.0.0.8"))
    made.put_node(Node("six", "fd00::6"))
    made.put_service("n1", Service("web", "w1", ("Blue",), "10.0.0.1", 80, weights=Weights(3, 1)))
    made.put_service("n1", Service("web", "w2", ("green",), "", 81))
    made.put_service("odd.node", Service("far", "f1", port=82))
    made.put_service("six", Service("six", "s1", port=83))
    made.put_service("n1", Service("named", "d1", address="db.example.org", port=84))
    return made


def asked(name: str, kind: str = "SRV", *, size: int = 4096) -> dns.message.Message:
    question = dns.message.make_query(name, kind)
    if size:
        question.use_edns(0, payload=size)
    return question


def ask(
    name: str, kind: str = "SRV", *, size: int = 4096, tcp: bool = False, of: Catalog | None = None
) -> dns.message.Message:
    question = asked(name, kind, size=size)
    answer = names.answer(question.to_wire(), of or catalog(), lambda _: None, tcp=tcp)
    assert answer is not None
    parsed = dns.message.from_wire(answer)
    assert question.is_response(parsed)
    return parsed


def rows(section: list[dns.rrset.RRset]) -> list[Any]:
    return [row for each in section for row in each]


def records(answer: dns.message.Message) -> list[tuple[int, int, int, str]]:
    """By port: their order is another one each time."""
    found = [(r.priority, r.weight, r.port, str(r.target)) for r in rows(answer.answer)]
    return sorted(found, key=lambda record: record[2])


def texts(answer: dns.message.Message) -> list[str]:
    return [row.to_text() for row in rows(answer.answer)]


def additional(answer: dns.message.Message) -> dict[str, str]:
    return {str(each.name): each[0].to_text() for each in answer.additional}


W1 = (1, 3, 80, "0a000001.addr.dc1.consul.")
W2 = (1, 1, 81, "n1.node.dc1.consul.")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("web.service.consul", [W1, W2]),
        ("WEB.Service.Consul.", [W1, W2]),
        ("web.service.dc1.consul", [W1, W2]),
        ("_web._tcp.service.consul", [W1, W2]),
        ("_web._blue.service.consul", [W1]),
        ("green.web.service.consul", [W2]),
        ("far.service.consul", [(1, 1, 82, "0a000008.addr.dc1.consul.")]),
        ("named.service.consul", [(1, 1, 84, "db.example.org.")]),
        ("consul.service.consul", []),
        ("red.web.service.consul", []),
        ("_web._tcp.service.dc2.consul", []),
        ("service.consul", []),
    ],
)
def test_a_services_records(name: str, expected: list[Any]) -> None:
    answer = ask(name)
    assert records(answer) == expected
    assert answer.flags & dns.flags.AA
    assert all(each.ttl == 0 for each in answer.answer)
    if not expected:
        assert answer.rcode() == dns.rcode.NXDOMAIN
        assert [str(row.mname) for row in rows(answer.authority)] == ["ns.consul."]


def test_addresses_of_targets_are_told_along_and_can_be_asked_for():
    told = additional(ask("web.service.consul"))
    assert told == {"0a000001.addr.dc1.consul.": "10.0.0.1", "n1.node.dc1.consul.": "10.0.0.9"}
    for name, address in told.items():
        assert texts(ask(name, "A")) == [address]
    six = ask("six.service.consul")
    assert additional(six) == {"six.node.dc1.consul.": "fd00::6"}
    assert texts(ask("six.service.consul", "AAAA")) == ["fd00::6"]
    hexed = f"{socket.inet_pton(socket.AF_INET6, 'fd00::6').hex()}.addr.consul"
    assert texts(ask(hexed, "AAAA")) == ["fd00::6"]
    assert texts(ask("odd.node.node.consul", "A")) == ["10.0.0.8"]


@pytest.mark.parametrize(
    ("name", "kind", "rcode"),
    [
        ("web.service.consul", "AAAA", dns.rcode.NOERROR),
        ("web.service.consul", "TXT", dns.rcode.NOERROR),
        ("n1.node.consul", "AAAA", dns.rcode.NOERROR),
        ("n2.node.consul", "A", dns.rcode.NXDOMAIN),
        ("zz.addr.consul", "A", dns.rcode.NXDOMAIN),
        ("0a.addr.consul", "A", dns.rcode.NXDOMAIN),
        ("none.service.consul", "A", dns.rcode.NXDOMAIN),
        ("consul", "A", dns.rcode.NOERROR),
    ],
)
def test_what_is_not_there_is_told_by_a_soa(name: str, kind: str, rcode: int) -> None:
    answer = ask(name, kind)
    assert not answer.answer
    assert answer.rcode() == rcode
    assert [each.rdtype for each in answer.authority] == [dns.rdatatype.SOA]


def test_other_domains_are_refused():
    for name in ("example.org", "consul.org", "."):
        answer = ask(name, "A")
        assert (answer.rcode(), answer.answer, answer.authority) == (dns.rcode.REFUSED, [], [])


def test_critical_instances_are_left_out_and_warning_ones_weigh_less():
    made = catalog()
    made.put_check("n1", Check("c1", "c", "warning", service_id="w1"))
    assert records(ask("web.service.consul", of=made)) == [(1, 1, *W1[2:]), W2]
    made.put_service("n1", Service("web", "w1", (), "10.0.0.1", 80, weights=Weights(3, 0)))
    assert records(ask("web.service.consul", of=made))[0][1] == 0
    made.put_check("n1", Check("c1", "c", "critical", service_id="w1"))
    assert records(ask("web.service.consul", of=made)) == [W2]
    made.put_check("n1", Check("node", "of the node", "critical"))
    assert ask("web.service.consul", of=made).rcode() == dns.rcode.NXDOMAIN


def crowd(count: int) -> Catalog:
    made = Catalog()
    made.put_node(Node("n", "10.1.0.0"))
    for number in range(count):
        made.put_service("n", Service("web", str(number), address=f"10.1.0.{number}", port=80))
    return made


@pytest.mark.parametrize("size", [0, 512, 1232, 4096, 8192, 65535])
def test_as_many_as_fit_are_told_and_tc_says_that_some_are_missing(size: int) -> None:
    made = crowd(100)
    question = asked("web.service.consul", size=size)
    answer = names.answer(question.to_wire(), made, lambda _: None, tcp=False)
    assert answer is not None
    parsed, limit = dns.message.from_wire(answer), min(max(size, 512), 8192)
    assert len(answer) <= limit
    if parsed.flags & dns.flags.TC:
        assert len(records(parsed)) < 100
        one_more = 56  # of a record, without what compression may save
        assert len(answer) > limit - one_more, "there was room for another"
    else:
        assert len(records(parsed)) == 100
        assert len(additional(parsed)) == 100 or limit < 8192


def test_tcp_tells_all():
    answer = ask("web.service.consul", size=0, tcp=True, of=crowd(200))
    assert len(records(answer)) == 200
    assert len(additional(answer)) == 200
    assert not answer.flags & dns.flags.TC


def test_edns_is_answered_by_edns_and_an_unknown_version_refused():
    assert ask("web.service.consul").edns == 0
    assert ask("web.service.consul", size=0).edns < 0
    question = asked("web.service.consul")
    question.use_edns(1, payload=4096)
    answer = names.answer(question.to_wire(), catalog(), lambda _: None, tcp=False)
    parsed = dns.message.from_wire(answer or b"")
    assert (parsed.rcode(), parsed.edns, parsed.answer) == (dns.rcode.BADVERS, 0, [])


def test_what_is_no_question_is_told_so_or_left_alone():
    status = dns.message.Message(id=5)
    status.set_opcode(dns.opcode.STATUS)
    empty = dns.message.Message(id=5)
    chaos = dns.message.make_query("web.service.consul", "SRV", "CH")
    reply = dns.message.make_response(asked("web.service.consul"))

    def rcode(message: dns.message.Message) -> int | None:
        answer = names.answer(message.to_wire(), catalog(), lambda _: None, tcp=False)
        return None if answer is None else dns.message.from_wire(answer).rcode()

    assert rcode(status) == dns.rcode.NOTIMP
    assert rcode(empty) == dns.rcode.FORMERR
    assert rcode(chaos) == dns.rcode.REFUSED
    assert rcode(reply) is None


@given(st.binary(max_size=80), st.booleans())
def test_any_bytes_get_an_answer_or_none(data: bytes, valid_start: bool) -> None:
    if valid_start:
        data = asked("web.service.consul").to_wire()[:20] + data
    answer = names.answer(data, catalog(), lambda _: None, tcp=False)
    if answer is not None:
        assert dns.message.from_wire(answer).flags & dns.flags.QR
        assert answer[:2] == data[:2]


def test_a_server_answers_by_udp_and_tcp_and_survives_garbage():
    async def test() -> None:
        faults: list[BaseException] = []
        server = DnsServer(crowd(100), faults.append, seed=1)
        port = await server.start("127.0.0.1", 0)
        question = asked("web.service.consul", size=0).to_wire()
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
            plain.setblocking(False)
            plain.connect(("127.0.0.1", port))
            for sent in (b"", b"x" * 3, b"x" * 5000, question):
                await loop.sock_sendall(plain, sent)
            short = dns.message.from_wire(await asyncio.wait_for(loop.sock_recv(plain, 4096), 10))
        assert short.flags & dns.flags.TC
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(len(question).to_bytes(2, "big") + question)
            size = int.from_bytes(await asyncio.wait_for(reader.readexactly(2), 10), "big")
            full = dns.message.from_wire(await asyncio.wait_for(reader.readexactly(size), 10))
            assert len(records(full)) == 100
        writer.write(b"\xff\xff")
        assert await asyncio.wait_for(reader.read(), 10) == b"", "too long: it hangs up"
        writer.close()
        await server.close()
        assert not faults

    asyncio.run(test())


def test_any_port_is_one_that_is_free_for_tcp_as_well(monkeypatch: pytest.MonkeyPatch):
    async def test() -> None:
        listen, tried = asyncio.start_server, []

        async def other_has_it(connected: Any, host: str, port: int) -> asyncio.Server:
            tried.append(port)
            if len(tried) < 3:
                raise OSError(errno.EADDRINUSE, "it is taken")
            return await listen(connected, host, port)

        monkeypatch.setattr(asyncio, "start_server", other_has_it)
        server = DnsServer(crowd(1), print)
        port = await server.start("127.0.0.1", 0)
        assert tried[2:] == [port]
        for left in set(tried) - {port}:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                udp.bind(("127.0.0.1", left))  # it was let go of
        await server.close()

    asyncio.run(test())


def test_a_port_that_is_asked_for_and_taken_is_an_error():
    async def test() -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            server = DnsServer(crowd(1), print)
            with pytest.raises(OSError, match="in use"):
                await server.start("127.0.0.1", other.getsockname()[1])

    asyncio.run(test())


def test_the_order_differs_from_answer_to_answer():
    async def test() -> None:
        server = DnsServer(crowd(20), print, seed=3)
        question = asked("web.service.consul", "A").to_wire()
        answers = [
            dns.message.from_wire(server._answer(question, tcp=True) or b"") for _ in range(2)
        ]
        first, second = (texts(answer) for answer in answers)
        assert sorted(first) == sorted(second)
        assert first != second

    asyncio.run(test())
