"""When registries are asked again, in a loop whose time is skipped."""

import asyncio
from collections.abc import Callable
from itertools import pairwise
from types import SimpleNamespace

import dns.exception
import httpx
import pytest

from storagebox.balance import Endpoint
from storagebox.balance.resolver.consul import Consul
from storagebox.balance.resolver.dns import Addresses, DnsSettings, Questions, _follow
from storagebox.balance.resolver.etcd import Etcd
from storagebox.balance.resolver.faults import Read
from tests.balance.skipped_time import now, run

A = Endpoint("10.0.0.1", 80)


def ignore(endpoints: object) -> None: ...


def gaps(at_s: list[float]) -> list[float]:
    return [after - before for before, after in pairwise(at_s)]


async def for_a_while(watching: asyncio.Task[None], for_s: float) -> None:
    await asyncio.sleep(for_s)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


# Consul

Answer = Callable[[int], httpx.Response]
NOTHING = httpx.Response(200, headers={"X-Consul-Index": "1"}, json=[])


def asked(
    monkeypatch: pytest.MonkeyPatch, answer: Answer, for_s: float, **settings: float
) -> list[httpx.Request]:
    """What an agent is asked that answers the n-th call so; each bears when it came."""
    heard: list[httpx.Request] = []

    def agent(request: httpx.Request) -> httpx.Response:
        request.extensions["at_s"] = now()
        heard.append(request)
        return answer(len(heard) - 1)

    monkeypatch.setattr(httpx, "AsyncHTTPTransport", lambda **_: httpx.MockTransport(agent))
    monkeypatch.setattr("storagebox.balance.resolver.consul.time", SimpleNamespace(monotonic=now))

    async def main() -> None:
        consul = Consul("web", "http://agent:8500", seed=1, **settings)
        await for_a_while(asyncio.create_task(consul.watch(ignore)), for_s)

    run(main())
    return heard


def at_s(heard: list[httpx.Request]) -> list[float]:
    return [request.extensions["at_s"] for request in heard]


def indexed(n: int) -> httpx.Response:
    return httpx.Response(200, headers={"X-Consul-Index": str(n + 1)}, json=[])


def test_what_changes_all_the_time_is_asked_for_eight_times_and_then_every_15_s(
    monkeypatch: pytest.MonkeyPatch,
):
    times = at_s(asked(monkeypatch, indexed, 100.0))
    assert times[:8] == [0.0] * 8
    assert gaps(times)[7:] == pytest.approx([15.0] * len(gaps(times)[7:]))
    assert len(times) == 8 + 6


def test_an_agent_with_too_many_connections_is_left_alone_for_a_minute(
    monkeypatch: pytest.MonkeyPatch,
):
    times = at_s(asked(monkeypatch, lambda _: httpx.Response(429), 1000.0))
    assert 30.0 <= min(gaps(times)) <= max(gaps(times)) <= 90.0


def test_one_that_fails_is_asked_ever_less_often_until_it_answers(
    monkeypatch: pytest.MonkeyPatch,
):
    def answer(n: int) -> httpx.Response:
        return indexed(n) if n == 5 else httpx.Response(500)

    waits = gaps(at_s(asked(monkeypatch, answer, 200.0, every_s=0.0)))
    for wait_s, mean_s in zip(waits[:5], (1.0, 2.0, 4.0, 8.0, 16.0), strict=True):
        assert mean_s / 2 <= wait_s <= mean_s * 1.5
    assert waits[5] == 0.0, "an answer"
    assert 0.5 <= waits[6] <= 1.5, "from the beginning"


def test_one_that_tells_no_index_cannot_block_and_is_asked_each_minute(
    monkeypatch: pytest.MonkeyPatch,
):
    heard = asked(monkeypatch, lambda _: httpx.Response(200, json=[]), 1000.0)
    assert 30.0 <= min(gaps(at_s(heard))) <= max(gaps(at_s(heard))) <= 90.0
    assert not any("index" in request.url.params for request in heard)


def test_a_blocking_query_has_the_sixteenth_more_that_agents_take(
    monkeypatch: pytest.MonkeyPatch,
):
    heard = asked(monkeypatch, indexed, 1.0, wait_s=160.0)
    assert heard[1].url.params["wait"] == "160000ms"
    assert heard[1].extensions["timeout"]["read"] > 170.0


# DNS


def looked_up(look: Callable[[int], tuple[Read, float]], for_s: float) -> list[float]:
    """When a name is asked for whose n-th answer is this."""
    times: list[float] = []

    async def looking(asking: Questions) -> tuple[Read, float]:
        times.append(now())
        return look(len(times) - 1)

    async def main() -> None:
        settings = DnsSettings(servers=["127.0.0.1"], seed=1)
        following = _follow("search.example", settings, ignore, looking)
        await for_a_while(asyncio.create_task(following), for_s)

    run(main())
    return times


def test_a_name_is_asked_for_when_its_time_to_live_is_over_and_up_to_a_tenth_later():
    waits = gaps(looked_up(lambda _: (([A], []), 30.0), 3000.0))
    assert 30.0 <= min(waits) < 30.5
    assert 32.5 < max(waits) <= 33.0
    waits = gaps(looked_up(lambda _: (([A], []), 0.0), 300.0))
    assert 5.0 <= min(waits) <= max(waits) <= 5.5, "Consul's is 0"


def test_a_name_server_that_fails_is_asked_ever_less_often_until_it_answers():
    def look(n: int) -> tuple[Read, float]:
        if n != 5:
            raise dns.exception.Timeout
        return ([A], []), 5.0

    waits = gaps(looked_up(look, 200.0))
    for wait_s, mean_s in zip(waits[:5], (1.0, 2.0, 4.0, 8.0, 16.0), strict=True):
        assert mean_s / 2 <= wait_s <= mean_s * 1.5
    assert 0.5 <= waits[6] <= 1.5, "from the beginning"


@pytest.mark.parametrize("ttls", [(20.0, 300.0), (300.0, 20.0)])
def test_of_two_families_the_shorter_time_to_live_counts(ttls: tuple[float, float]):
    class Both(Questions):
        async def addresses(self, name: str, kind: str) -> tuple[list[str], float]:
            four = kind == "A"
            return (["10.0.0.1"] if four else ["::1"]), ttls[0 if four else 1]

    both = Both(DnsSettings(servers=["127.0.0.1"]))
    (endpoints, _), ttl_s = run(Addresses("search.example", 80)._look(both))
    assert ([each.host for each in endpoints], ttl_s) == (["10.0.0.1", "::1"], 20.0)


# etcd


def test_etcd_whose_watch_breaks_each_time_is_asked_again_soon_each_time(
    monkeypatch: pytest.MonkeyPatch,
):
    ranged: list[float] = []

    def etcd(request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/range"):
            raise httpx.ReadError("broken")
        ranged.append(now())
        return httpx.Response(200, json={"header": {"revision": "7"}, "kvs": []})

    monkeypatch.setattr("httpx._client.AsyncHTTPTransport", lambda **_: httpx.MockTransport(etcd))
    monkeypatch.setattr("storagebox.balance.resolver.etcd.time", SimpleNamespace(monotonic=now))

    async def main() -> None:
        watching = Etcd("services/", ["http://etcd:2379"], every_s=0.0, seed=1).watch(ignore)
        await for_a_while(asyncio.create_task(watching), 60.0)

    run(main())
    assert len(ranged) > 40
    assert 0.5 <= min(gaps(ranged)) <= max(gaps(ranged)) <= 1.5
