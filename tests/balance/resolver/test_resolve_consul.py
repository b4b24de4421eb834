"""Consul's blocking queries, followed against an agent that misbehaves on demand."""

import asyncio
import logging
from typing import Any

import pytest

from storagebox.balance.resolver.backoff import Backoff
from storagebox.balance.resolver.consul import Consul, base_url, next_index
from storagebox.balance.resolver.consul_answer import read
from tests.balance.resolver.fake_consul import FakeConsul, consul, instance
from tests.balance.resolver.published import watching

SOON = Backoff(first_s=0.001, max_s=0.002)


def following(fake: FakeConsul, **settings: Any) -> Consul:
    settings = {"every_s": 0.0, "backoff": SOON, "wait_s": 300.0} | settings
    return Consul("web", fake.address, **settings)


def one(**said: Any) -> Any:
    endpoints, dropped = read([instance("a", **said)], "zone")
    assert not dropped
    return endpoints[0]


# What an answer says


def test_an_instance_is_an_endpoint():
    told = one(port=8080, address="10.0.0.1", node="n7", zone="attic")
    assert (told.host, told.port, told.id) == ("10.0.0.1", 8080, "n7/a")
    assert (told.weight, told.zone, told.ready) == (1, "attic", True)


def test_an_empty_address_means_the_nodes():
    assert one(address="").host == "127.0.0.1"


@pytest.mark.parametrize(
    ("statuses", "weight", "ready"),
    [
        (("passing", "passing"), 5, True),
        (("passing", "warning"), 2, True),
        (("warning", "critical", "passing"), 5, False),
        (("unheard-of",), 5, False),
        ((), 5, True),
    ],
)
def test_the_worst_check_decides_weight_and_readiness(
    statuses: tuple[str, ...], weight: float, ready: bool
):
    told = one(statuses=statuses, weights={"Passing": 5, "Warning": 2})
    assert (told.weight, told.ready) == (weight, ready)


def test_maintenance_and_a_warning_of_weight_0_drain():
    assert one(maintenance=True).weight == 0
    assert one(statuses=("warning",), weights={"Passing": 5, "Warning": 0}).weight == 0


def test_an_agent_of_before_weights_gives_everybody_one():
    entry = instance("a")
    del entry["Service"]["Weights"]
    assert read([entry], "zone")[0][0].weight == 1


@pytest.mark.parametrize(
    "wrong",
    [
        instance("a", 0),
        instance("a", 70000),
        instance("a", "80"),
        instance("a", None),
        instance("a", weights={"Passing": -1, "Warning": 1}),
        instance("a", weights={"Passing": "many"}),
        instance("a", weights={"Passing": 10**400}),
        instance("a", weights=[1]),
        {"Service": None, "Node": {}},
        {},
        None,
        7,
        {"Service": {"Port": 80}, "Node": {}, "Checks": [None]},
        {"Service": {"Port": 80}, "Node": {}, "Checks": "none"},
    ],
)
def test_an_entry_that_is_nonsense_is_dropped_and_the_rest_goes_on(wrong: object):
    endpoints, dropped = read([instance("good"), wrong], "zone")
    assert [endpoint.id for endpoint in endpoints] == ["n1/good"]
    assert len(dropped) == 1


def test_an_answer_that_is_no_list_is_none():
    with pytest.raises(ValueError, match="no list"):
        read({"error": "x"}, "zone")


def test_an_index_that_goes_back_starts_anew():
    assert [next_index(5, 7), next_index(7, 7), next_index(7, 6), next_index(0, 0)] == [7, 7, 0, 1]
    assert next_index(7, None) == 0


@pytest.mark.parametrize(
    ("address", "environment", "url", "socket"),
    [
        (None, {}, "http://127.0.0.1:8500", None),
        (None, {"CONSUL_HTTP_ADDR": "10.0.0.1:85"}, "http://10.0.0.1:85", None),
        (None, {"CONSUL_HTTP_ADDR": "h:1", "CONSUL_HTTP_SSL": "true"}, "https://h:1", None),
        (None, {"CONSUL_HTTP_ADDR": "unix:///run/c.sock"}, "http://consul", "/run/c.sock"),
        ("https://h:1/", {"CONSUL_HTTP_ADDR": "other:2"}, "https://h:1", None),
    ],
)
def test_an_agents_address_is_read_as_other_clients_do(
    address: str | None, environment: dict[str, str], url: str, socket: str | None
):
    assert base_url(address, environment) == (url, socket)


@pytest.mark.parametrize("address", ["ftp://h", "http://", "h:port", "http://[::1"])
def test_an_address_that_can_not_be_read_is_an_error_at_once(address: str):
    with pytest.raises(ValueError, match="can't be read: give host:port"):
        asyncio.run(Consul("web", address).watch(lambda _: None))


# Following it


def test_a_change_is_published_at_once_and_only_a_change():
    async def main() -> None:
        async with consul() as fake:
            await fake.set(instance("a"), instance("b"))
            async with watching(following(fake)) as published:
                assert set(await published.next()) == {"n1/a", "n1/b"}
                noise = instance("b")
                noise["Checks"][0]["Output"] = "otherwise"
                await fake.set(instance("a"), noise)
                await fake.calls(3)
                await fake.set(instance("a", weights={"Passing": 7, "Warning": 1}))
                assert (await published.next())["n1/a"].weight == 7
                assert published.count == 2, "the noise was none"
            assert fake.asked[0] == {"path": "/v1/health/service/web", "stale": ""}
            assert fake.asked[1]["index"] == "11"
            assert fake.asked[1]["wait"] == "300000ms"

    asyncio.run(main())


def test_the_service_tag_datacenter_and_token_are_asked_with():
    async def main() -> None:
        async with consul() as fake:
            asking = following(fake, tag="blue", datacenter="dc2", token="t0k")
            async with watching(asking) as published:
                assert await published.next() == {}
            assert (fake.asked[0]["tag"], fake.asked[0]["dc"]) == ("blue", "dc2")
            assert fake.headers[0]["x-consul-token"] == "t0k"
            assert "t0k" not in repr(asking)

    asyncio.run(main())


def test_an_agent_that_lost_its_state_is_followed_from_the_start():
    async def main() -> None:
        async with consul() as fake:
            fake.index = 1000
            await fake.set(instance("a"))
            async with watching(following(fake)) as published:
                await published.next()
                await fake.calls(2)
                await fake.set(instance("b"), index=3)
                assert set(await published.next()) == {"n1/b"}
                await fake.calls(3)
                assert "index" not in fake.asked[2]
                await fake.set(instance("c"))
                assert set(await published.next()) == {"n1/c"}

    asyncio.run(main())


@pytest.mark.parametrize(
    ("status", "body"),
    [(500, b"No cluster leader"), (200, b"<html>"), (200, b'{"a": 1}'), (200, b"[" * 100_000)],
)
def test_an_error_keeps_what_was_known_and_is_told_once(
    status: int, body: bytes, caplog: pytest.LogCaptureFixture
):
    async def main() -> None:
        async with consul() as fake:
            await fake.set(instance("a"))
            async with watching(following(fake)) as published:
                await published.next()
                await fake.calls(2)
                fake.status, fake.body = status, body
                await fake.set(instance("b"))
                await fake.calls(6)
                assert published.silent
                fake.status, fake.body = 200, None
                await fake.set(instance("b"))
                assert set(await published.next()) == {"n1/b"}

    with caplog.at_level(logging.INFO, "storagebox.balance"):
        asyncio.run(main())
    told = [record.getMessage() for record in caplog.records]
    assert len([text for text in told if "goes on to count" in text]) == 1
    assert told[-1] == "Consul's service web answers again"


def test_an_agent_that_is_not_there_yet_is_waited_for():
    async def main() -> None:
        async with consul() as first:
            address = first.address
        gone = Consul("web", address, every_s=0.0, backoff=SOON)
        port = int(address.rsplit(":", 1)[1])
        async with watching(gone) as published, consul(port) as fake:
            await fake.set(instance("a"))
            assert set(await published.next()) == {"n1/a"}

    asyncio.run(main())


def test_nobody_after_somebody_is_believed_only_once_it_lasts():
    async def main() -> None:
        async with consul() as fake:
            await fake.set(instance("a"))
            async with watching(following(fake, grace_s=0.05)) as published:
                await published.next()
                await fake.set()
                assert await published.next() == {}
            async with watching(following(fake, grace_s=3600.0)) as published:
                assert await published.next() == {}, "at first it is believed"
                await fake.set(instance("a"))
                await published.next()
                await fake.set()
                asked = len(fake.asked)
                await fake.calls(asked + 1)
                await fake.set(instance("a"))
                await fake.calls(asked + 2)
                assert published.silent, "it was never gone"

    asyncio.run(main())


def test_an_agent_that_tells_no_index_is_not_asked_without_end():
    async def main() -> None:
        async with consul() as fake:
            fake.tells_index = False
            await fake.set(instance("a"))
            async with watching(following(fake)) as published:
                await published.next()
                for _ in range(20):
                    await asyncio.sleep(0)
            assert len(fake.asked) == 1

    asyncio.run(main())


def test_a_bad_entry_is_told_once(caplog: pytest.LogCaptureFixture):
    async def main() -> None:
        async with consul() as fake:
            await fake.set(instance("a"), instance("bad", 0))
            async with watching(following(fake)) as published:
                assert set(await published.next()) == {"n1/a"}
                await fake.set(instance("a"), instance("bad", 0), instance("c"))
                assert set(await published.next()) == {"n1/a", "n1/c"}

    asyncio.run(main())
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 1
    assert "n1/bad: endpoint 127.0.0.1: port 0 is not within 1 to 65535" in told[0]
