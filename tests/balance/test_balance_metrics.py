"""What a scrape of a balancer's metrics shows."""

import asyncio
import gc
import threading
from random import Random

import httpx
from prometheus_client import CollectorRegistry, generate_latest

from storagebox.balance import Balancer, Endpoint, Outcome
from storagebox.balance.metrics import Metrics
from storagebox.balance.picker.round_robin import RoundRobin
from storagebox.balance.transport import AsyncBalancedTransport, BalancedTransport

TWO = [Endpoint("10.0.0.1", 80, weight=2), Endpoint("10.0.0.2", 80)]


def watched(registry: CollectorRegistry, name: str = "search") -> Balancer:
    metrics = Metrics(name, registry)
    made = Balancer(RoundRobin(), random=Random(1), observer=metrics)
    made.update(TWO, 0.0)
    metrics.watch(made, clock=lambda: 0.0)
    return made


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    labels.setdefault("server_address", "search")
    return registry.get_sample_value(name, labels)


def test_attempts_are_timed_by_server_and_fault():
    registry = CollectorRegistry()
    made = watched(registry)
    for outcome in (Outcome.SUCCESS, Outcome.SUCCESS, Outcome.FAILURE, Outcome.FAILURE):
        made.pick(0.0).done(outcome, 0.02)
    name = "http_client_request_duration_seconds"
    for endpoint in ("10.0.0.1:80", "10.0.0.2:80"):
        assert value(registry, f"{name}_count", endpoint=endpoint, error_type="") == 1
        assert value(registry, f"{name}_count", endpoint=endpoint, error_type="failure") == 1
        bucket = {"endpoint": endpoint, "error_type": "", "le": "0.025"}
        assert value(registry, f"{name}_bucket", **bucket) == 1
        reason = {"endpoint": endpoint, "reason": "policy"}
        assert value(registry, "balance_picks_total", **reason) == 2


def test_a_scrape_tells_how_servers_stand():
    registry = CollectorRegistry()
    made = watched(registry)
    made.pick(0.0)
    made.pick(0.0)
    active = "http_client_active_requests"
    assert value(registry, active, endpoint="10.0.0.1:80") == 1
    assert value(registry, "balance_endpoint_weight", endpoint="10.0.0.1:80") == 2
    assert value(registry, "balance_endpoint_eligible", endpoint="10.0.0.2:80") == 1
    made.update([TWO[0], TWO[1].weighing(0)], 0.0)
    assert value(registry, "balance_endpoint_eligible", endpoint="10.0.0.2:80") == 0


def test_clients_that_see_other_servers_have_another_hash():
    registry = CollectorRegistry()
    made, same = watched(registry), watched(registry, "other")
    hashes = [
        value(registry, "balance_membership_hash", server_address=n) for n in ("search", "other")
    ]
    assert hashes[0] == hashes[1]
    same.update(TWO[:1], 0.0)
    assert value(registry, "balance_membership_hash", server_address="other") != hashes[0]
    assert made.size == 2


def test_who_has_gone_is_told_of_no_more():
    registry = CollectorRegistry()
    made = watched(registry)
    for _ in TWO:
        made.pick(0.0).done(Outcome.SUCCESS, 0.1)
    assert b"10.0.0.2" in generate_latest(registry)
    made.update(TWO[:1], 1.0)
    assert b"10.0.0.2" not in generate_latest(registry)


def test_who_has_gone_is_told_of_until_its_last_request_has_ended():
    registry = CollectorRegistry()
    made = watched(registry)
    picks = [made.pick(0.0) for _ in range(4)]
    made.update(TWO[:1], 1.0)
    for pick in picks:
        assert b"10.0.0.2" in generate_latest(registry) or pick.endpoint == TWO[0]
        pick.done(Outcome.SUCCESS, 2.0)
    shown = generate_latest(registry)
    assert b"10.0.0.2" not in shown
    assert b"10.0.0.1" in shown


def told(registry: CollectorRegistry) -> list[str]:
    """The series that a scrape shows."""
    shown = generate_latest(registry).decode().splitlines()
    return [line for line in shown if not line.startswith("#")]


def test_of_a_balancer_that_is_closed_nothing_is_told_once_its_requests_have_ended():
    registry = CollectorRegistry()
    made = watched(registry)
    for _ in TWO:
        made.pick(0.0).done(Outcome.SUCCESS, 0.1)
    still = made.pick(0.0)
    assert told(registry)
    made.closed()
    assert not [line for line in told(registry) if "active" in line or "hash" in line]
    assert {still.endpoint.id in line for line in told(registry)} == {True}
    still.done(Outcome.SUCCESS, 1.0)
    assert told(registry) == []
    made.closed()


def test_a_transport_that_is_closed_takes_its_metrics_along():
    registry = CollectorRegistry()

    def ok(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200)

    async def main() -> None:
        metrics = Metrics("search", registry)
        made = AsyncBalancedTransport(
            TWO, connect=lambda _: httpx.MockTransport(ok), observer=metrics
        )
        metrics.watch(made.balancer)
        async with httpx.AsyncClient(transport=made, base_url="http://search") as search:
            await search.get("/")
            assert told(registry)

    asyncio.run(main())
    assert told(registry) == []
    metrics = Metrics("search", registry)
    made = BalancedTransport(TWO, connect=lambda _: httpx.MockTransport(ok), observer=metrics)
    metrics.watch(made.balancer)
    with httpx.Client(transport=made, base_url="http://search") as search:
        search.get("/")
        assert told(registry)
    assert told(registry) == []


def test_who_watches_no_more_keeps_the_counts():
    registry = CollectorRegistry()
    metrics = Metrics("search", registry)
    made = Balancer(RoundRobin(), random=Random(1), observer=metrics)
    made.update(TWO, 0.0)
    metrics.watch(made)
    made.pick(0.0)
    metrics.unwatch()
    metrics.unwatch()
    assert {line.partition("{")[0] for line in told(registry)} == {
        "balance_picks_total",
        "balance_picks_created",
    }


def test_closing_one_takes_nothing_from_another_that_is_watched_under_its_name():
    registry = CollectorRegistry()
    first, second = watched(registry), watched(registry)
    first.closed()
    assert value(registry, "balance_endpoint_weight", endpoint="10.0.0.1:80") == 2
    second.closed()
    assert told(registry) == []


def test_a_balancer_that_its_program_has_forgotten_is_told_of_no_more():
    registry = CollectorRegistry()
    made = watched(registry)
    assert told(registry)
    del made
    gc.collect()
    assert told(registry) == []


def test_scrapes_and_requests_may_come_while_servers_come_and_go():
    registry = CollectorRegistry()
    made = watched(registry)
    raised: list[BaseException] = []
    over = threading.Event()

    def ask() -> None:
        try:
            while not over.is_set():
                made.pick(0.0).done(Outcome.SUCCESS, 0.0)
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for n in range(200):
            made.update([Endpoint(f"10.0.{n}.{m}", 80) for m in range(5)], 0.0)
            if n % 20 == 0:
                generate_latest(registry)
    finally:
        over.set()
        for thread in threads:
            thread.join(10)
    made.update([], 0.0)
    assert raised == []
    assert b"10.0." not in generate_latest(registry)
