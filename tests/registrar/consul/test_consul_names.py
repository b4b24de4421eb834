"""Names below .consul: what SRV, A and AAAA answer, what fits, and what garbage gets."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from dnslib import CLASS, EDNS0, QTYPE, RCODE, DNSHeader, DNSQuestion, DNSRecord
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


def ask(
    name: str, kind: str = "SRV", *, size: int = 4096, tcp: bool = False, of: Catalog | None = None
) -> Any:
    question = DNSRecord.question(name, kind)
    if size:
        question.add_ar(EDNS0(udp_len=size))
    answer = names.answer(bytes(question.pack()), of or catalog(), lambda _: None, tcp=tcp)
    assert answer is not None
    parsed = DNSRecord.parse(answer)
    assert parsed.header.id == question.header.id
    assert parsed.header.qr == 1
    return parsed


def records(answer: Any) -> list[tuple[int, int, int, str]]:
    return [
        (each.rdata.priority, each.rdata.weight, each.rdata.port, str(each.rdata.target))
        for each in answer.rr
    ]


def additional(answer: Any) -> dict[str, str]:
    return {str(each.rname): str(each.rdata) for each in answer.ar if each.rtype != QTYPE.OPT}


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
    assert answer.header.aa == 1
    assert all(each.ttl == 0 for each in answer.rr)
    if not expected:
        assert answer.header.rcode == RCODE.NXDOMAIN
        assert [str(each.rdata.mname) for each in answer.auth] == ["ns.consul."]


def test_addresses_of_targets_are_told_along_and_can_be_asked_for():
    told = additional(ask("web.service.consul"))
    assert told == {"0a000001.addr.dc1.consul.": "10.0.0.1", "n1.node.dc1.consul.": "10.0.0.9"}
    for name, address in told.items():
        assert [str(each.rdata) for each in ask(name, "A").rr] == [address]
    six = ask("six.service.consul")
    assert additional(six) == {"six.node.dc1.consul.": "fd00::6"}
    assert [str(each.rdata) for each in ask("six.service.consul", "AAAA").rr] == ["fd00::6"]
    hexed = f"{socket.inet_pton(socket.AF_INET6, 'fd00::6').hex()}.addr.consul"
    assert [str(each.rdata) for each in ask(hexed, "AAAA").rr] == ["fd00::6"]
    assert [str(each.rdata) for each in ask("odd.node.node.consul", "A").rr] == ["10.0.0.8"]


@pytest.mark.parametrize(
    ("name", "kind", "rcode"),
    [
        ("web.service.consul", "AAAA", RCODE.NOERROR),
        ("web.service.consul", "TXT", RCODE.NOERROR),
        ("n1.node.consul", "AAAA", RCODE.NOERROR),
        ("n2.node.consul", "A", RCODE.NXDOMAIN),
        ("zz.addr.consul", "A", RCODE.NXDOMAIN),
        ("0a.addr.consul", "A", RCODE.NXDOMAIN),
        ("none.service.consul", "A", RCODE.NXDOMAIN),
        ("consul", "A", RCODE.NOERROR),
    ],
)
def test_what_is_not_there_is_told_by_a_soa(name: str, kind: str, rcode: int) -> None:
    answer = ask(name, kind)
    assert not answer.rr
    assert answer.header.rcode == rcode
    assert [each.rtype for each in answer.auth] == [QTYPE.SOA]


def test_other_domains_are_refused():
    for name in ("example.org", "consul.org", "."):
        answer = ask(name, "A")
        assert (answer.header.rcode, answer.rr, answer.auth) == (RCODE.REFUSED, [], [])


def test_critical_instances_are_left_out_and_warning_ones_weigh_less():
    made = catalog()
    made.put_check("n1", Check("c1", "c", "warning", service_id="w1"))
    assert records(ask("web.service.consul", of=made)) == [(1, 1, *W1[2:]), W2]
    made.put_service("n1", Service("web", "w1", (), "10.0.0.1", 80, weights=Weights(3, 0)))
    assert records(ask("web.service.consul", of=made))[0][1] == 0
    made.put_check("n1", Check("c1", "c", "critical", service_id="w1"))
    assert records(ask("web.service.consul", of=made)) == [W2]
    made.put_check("n1", Check("node", "of the node", "critical"))
    assert ask("web.service.consul", of=made).header.rcode == RCODE.NXDOMAIN


def crowd(count: int) -> Catalog:
    made = Catalog()
    made.put_node(Node("n", "10.1.0.0"))
    for number in range(count):
        made.put_service("n", Service("web", str(number), address=f"10.1.0.{number}", port=80))
    return made


@pytest.mark.parametrize("size", [0, 512, 1232, 4096, 8192, 65535])
def test_as_many_as_fit_are_told_and_tc_says_that_some_are_missing(size: int) -> None:
    made = crowd(100)
    answer = ask("web.service.consul", size=size, of=made)
    limit = min(max(size, 512), 8192)
    packed = len(answer.pack())
    assert packed <= limit
    assert answer.header.tc == (len(answer.rr) < 100)
    if answer.header.tc:
        one_more = 56  # of a record, without what compression may save
        assert packed > limit - one_more, "there was room for another"
    elif limit == 8192:
        assert len(additional(answer)) == 100


def test_tcp_tells_all():
    answer = ask("web.service.consul", size=0, tcp=True, of=crowd(200))
    assert len(answer.rr) == 200
    assert len(additional(answer)) == 200
    assert answer.header.tc == 0


def test_edns_is_answered_by_edns_and_an_unknown_version_refused():
    assert ask("web.service.consul").ar[0].rtype == QTYPE.OPT
    assert not [each for each in ask("web.service.consul", size=0).ar if each.rtype == QTYPE.OPT]
    question = DNSRecord.question("web.service.consul", "SRV")
    question.add_ar(EDNS0(udp_len=4096, version=1))
    answer = names.answer(bytes(question.pack()), catalog(), lambda _: None, tcp=False)
    parsed = DNSRecord.parse(answer or b"")
    assert parsed.rr == []
    assert [each.edns_rcode for each in parsed.ar] == [1]


def test_what_is_no_question_is_told_so_or_left_alone():
    plain = DNSRecord.question("web.service.consul", "SRV")
    status = DNSRecord(DNSHeader(id=5, opcode=2), q=DNSQuestion("web.service.consul"))
    two = DNSRecord(DNSHeader(id=5), questions=[*plain.questions, *plain.questions])
    chaos = DNSRecord(DNSHeader(id=5), q=DNSQuestion("web.service.consul", qclass=CLASS.CH))
    reply = plain.reply()

    def rcode(record: Any) -> int | None:
        answer = names.answer(bytes(record.pack()), catalog(), lambda _: None, tcp=False)
        return None if answer is None else DNSRecord.parse(answer).header.rcode

    assert rcode(status) == RCODE.NOTIMP
    assert rcode(two) == RCODE.FORMERR
    assert rcode(chaos) == RCODE.REFUSED
    assert rcode(reply) is None


@given(st.binary(max_size=80), st.booleans())
def test_any_bytes_get_an_answer_or_none(data: bytes, valid_start: bool) -> None:
    if valid_start:
        data = bytes(DNSRecord.question("web.service.consul", "SRV").pack())[:20] + data
    answer = names.answer(data, catalog(), lambda _: None, tcp=False)
    if answer is not None:
        assert DNSRecord.parse(answer).header.qr == 1
        assert answer[:2] == data[:2]


def test_a_server_answers_by_udp_and_tcp_and_survives_garbage():
    async def test() -> None:
        faults: list[BaseException] = []
        server = DnsServer(crowd(100), faults.append, seed=1)
        port = await server.start("127.0.0.1", 0)
        question = bytes(DNSRecord.question("web.service.consul", "SRV").pack())
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
            plain.setblocking(False)
            plain.connect(("127.0.0.1", port))
            for sent in (b"", b"x" * 3, b"x" * 5000, question):
                await loop.sock_sendall(plain, sent)
            short = DNSRecord.parse(await asyncio.wait_for(loop.sock_recv(plain, 4096), 10))
        assert short.header.tc == 1
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(len(question).to_bytes(2, "big") + question)
            size = int.from_bytes(await asyncio.wait_for(reader.readexactly(2), 10), "big")
            full = DNSRecord.parse(await asyncio.wait_for(reader.readexactly(size), 10))
            assert len(full.rr) == 100
        writer.write(b"\xff\xff")
        assert await asyncio.wait_for(reader.read(), 10) == b"", "too long: it hangs up"
        writer.close()
        await server.close()
        assert not faults

    asyncio.run(test())


def test_the_order_differs_from_answer_to_answer():
    async def test() -> None:
        server = DnsServer(crowd(20), print, seed=3)
        question = bytes(DNSRecord.question("web.service.consul", "A").pack())
        answers = [DNSRecord.parse(server._answer(question, tcp=True) or b"") for _ in range(2)]
        first, second = ([str(each.rdata) for each in answer.rr] for answer in answers)
        assert sorted(first) == sorted(second)
        assert first != second

    asyncio.run(test())
