"""Servers found by DNS."""

import asyncio
import logging

import dns.rcode
import dns.rrset
import pytest
from dns.rdtypes.IN.SRV import SRV

from storagebox.balance.resolver.backoff import Backoff
from storagebox.balance.resolver.dns import Addresses, DnsSettings, Services, served
from tests.balance.resolver.fake_dns import name_server
from tests.balance.resolver.published import watching

SOON = Backoff(first_s=0.001, max_s=0.002)
NAME = "_web._tcp.service.example"


def srv(*records: str) -> list[tuple[SRV, str | None]]:
    """ "priority weight port target", each with the address 10.0.0.N of its place."""
    rrset = dns.rrset.from_text_list("s.example.", 0, "IN", "SRV", records)
    found = [record for record in rrset if isinstance(record, SRV)]
    return [(record, f"10.0.0.{n + 1}") for n, record in enumerate(found)]


def test_only_the_lowest_priority_counts():
    endpoints, _ = served(srv("1 5 80 a.example.", "2 9 80 b.example.", "1 7 81 c.example."))
    assert [(e.id, e.weight) for e in endpoints] == [("a.example:80", 5), ("c.example:81", 7)]


def test_weight_0_drains_unless_all_are_0():
    endpoints, _ = served(srv("1 5 80 a.example.", "1 0 80 b.example."))
    assert [e.weight for e in endpoints] == [5, 0]
    endpoints, _ = served(srv("1 0 80 a.example.", "1 0 80 b.example."))
    assert [e.weight for e in endpoints] == [None, None]


def test_no_service_here_and_targets_without_address_are_dropped():
    told = srv("1 1 0 a.example.", "1 1 80 b.example.", "1 1 80 .")
    told[1] = (told[1][0], None)
    endpoints, dropped = served(told)
    assert endpoints == []
    assert dropped[0].startswith("a.example: endpoint 10.0.0.1: port 0 is not within")
    assert dropped[1:] == ["b.example: it has no address", ".: it has no address"]


def test_every_address_of_a_name_is_an_endpoint():
    async def main() -> None:
        async with name_server() as fake:
            fake.say("web.example", "A", "10.0.0.2", "10.0.0.1")
            fake.say("web.example", "AAAA", "2001:db8::1")
            both = Addresses("web.example", 80, settings=fake.settings())
            async with watching(both) as published:
                told = await published.next()
                assert set(told) == {"10.0.0.1:80", "10.0.0.2:80", "[2001:db8::1]:80"}
                fake.say("web.example", "A", "10.0.0.3")
                assert set(await published.next()) == {"10.0.0.3:80", "[2001:db8::1]:80"}
            only = Addresses("web.example", 80, "ipv6", fake.settings())
            async with watching(only) as published:
                assert set(await published.next()) == {"[2001:db8::1]:80"}

    asyncio.run(main())


def test_a_name_is_asked_for_again_when_its_time_to_live_is_over_and_no_sooner():
    async def main() -> None:
        async with name_server() as fake:
            fake.say("web.example", "A", "10.0.0.1", ttl=3600)
            long = Addresses("web.example", 80, "ipv4", fake.settings())
            async with watching(long) as published:
                await published.next()
                fake.say("other.example", "A", "10.0.0.1")
                short = Addresses("other.example", 80, "ipv4", fake.settings())
                async with watching(short) as more:
                    await more.next()
                    await fake.questions(10)
            assert fake.asked.count("web.example A") == 1

    asyncio.run(main())


def test_services_take_addresses_from_the_answer_or_ask_for_them():
    async def main() -> None:
        async with name_server() as fake:
            fake.say(NAME, "SRV", "1 256 80 a.example.", "1 512 81 b.example.")
            fake.add("a.example", "A", "10.0.0.1")
            fake.say("b.example", "A", "10.0.0.3", "10.0.0.2")
            async with watching(Services(NAME, fake.settings())) as published:
                told = await published.next()
                assert {e.id: (e.address, e.weight) for e in told.values()} == {
                    "a.example:80": ("10.0.0.1:80", 256),
                    "b.example:81": ("10.0.0.2:81", 512),
                }
                fake.say("b.example", "A", "10.0.0.9")
                moved = await published.next()
                assert moved["b.example:81"].host == "10.0.0.9", "the same server, elsewhere"
            assert "a.example A" not in fake.asked
            assert min(fake.payloads) >= 4096, "512 bytes would tell three servers of any number"

    asyncio.run(main())


def test_tcp_tells_all_of_them():
    async def main() -> None:
        async with name_server(tcp=True) as fake:
            fake.say("web.example", "A", *(f"10.0.{n // 250}.{n % 250}" for n in range(1000)))
            many = Addresses("web.example", 80, "ipv4", fake.settings(tcp=True))
            async with watching(many) as published:
                assert len(await published.next()) == 1000

    asyncio.run(main())


@pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.REFUSED])
def test_a_server_that_fails_says_nothing(
    rcode: dns.rcode.Rcode, caplog: pytest.LogCaptureFixture
):
    async def main() -> None:
        async with name_server() as fake:
            fake.say("web.example", "A", "10.0.0.1")
            failing = fake.settings(grace_s=0.0, backoff=SOON)
            async with watching(Addresses("web.example", 80, "ipv4", failing)) as published:
                await published.next()
                fake.rcode = rcode
                await fake.questions(len(fake.asked) + 5)
                assert published.silent
                fake.rcode = dns.rcode.NOERROR
                fake.say("web.example", "A", "10.0.0.2")
                assert set(await published.next()) == {"10.0.0.2:80"}

    with caplog.at_level(logging.WARNING, "storagebox.balance"):
        asyncio.run(main())
    assert len(caplog.records) == 1


def test_no_such_name_counts_once_it_lasts():
    async def main() -> None:
        async with name_server() as fake:
            fake.say("web.example", "A", "10.0.0.1")
            quick = Addresses("web.example", 80, "ipv4", fake.settings(grace_s=0.01))
            async with watching(quick) as published:
                await published.next()
                fake.say("web.example", "A")
                assert await published.next() == {}
            fake.say("web.example", "A", "10.0.0.1")
            slow = Addresses("web.example", 80, "ipv4", fake.settings(grace_s=3600.0))
            async with watching(slow) as published:
                await published.next()
                fake.say("web.example", "A")
                await fake.questions(len(fake.asked) + 3)
                assert published.silent

    asyncio.run(main())


@pytest.mark.parametrize(
    "wrong",
    [
        Addresses("web.example", 0),
        Addresses("web.example", 80, "ipv5"),
        Addresses("a" * 64 + ".example", 80),
        Services("..", DnsSettings(servers=["127.0.0.1"])),
        Services("s.example", DnsSettings(servers=["no address"])),
    ],
)
def test_what_no_waiting_mends_is_an_error_at_once(wrong: Addresses | Services):
    with pytest.raises(ValueError):
        asyncio.run(asyncio.wait_for(wrong.watch(lambda _: None), 60))
