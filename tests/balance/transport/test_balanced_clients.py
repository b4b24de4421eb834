"""httpx clients whose transport balances, against real servers: a test for each trap."""

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import httpx
import pytest

from storagebox.balance import Endpoint
from storagebox.balance.picker.round_robin import RoundRobin
from storagebox.balance.resolver import Publish
from storagebox.balance.retry.budget import Budget
from storagebox.balance.retry.hedging import Hedging
from storagebox.balance.retry.rules import Retries
from storagebox.balance.transport.asynchronous import AsyncBalancedTransport
from storagebox.balance.transport.attempts import Settings
from storagebox.balance.transport.synchronous import BalancedTransport
from tests.balance.transport.servers import Server, dead, servers


@pytest.fixture
def three() -> Iterator[list[Server]]:
    with servers(3) as made:
        yield made


def client(of: list[Server] | list[Endpoint], **options: Any) -> httpx.Client:
    endpoints = [one.endpoint if isinstance(one, Server) else one for one in of]
    options.setdefault("random", Random(1))
    options.setdefault("policy", RoundRobin())
    return httpx.Client(
        transport=BalancedTransport(endpoints, **options), base_url="http://search"
    )


def transport(of: httpx.Client) -> BalancedTransport:
    made = of._transport
    assert isinstance(made, BalancedTransport)
    return made


def in_flight(of: httpx.Client) -> int:
    return sum(standing.in_flight for standing in transport(of).balancer.standings(0.0))


def asked(three: list[Server]) -> list[int]:
    return [len(server.seen) for server in three]


def test_requests_go_round(three: list[Server]):
    with client(three) as search:
        for _ in range(9):
            assert search.get("/").text == "hello"
    assert asked(three) == [3, 3, 3]


def test_the_program_sees_the_logical_name_and_who_answered(three: list[Server]):
    with client(three) as search:
        response = search.get("/a?b=c")
    assert response.url == "http://search/a?b=c"
    assert response.extensions["chosen"].endpoint in [server.endpoint for server in three]
    [(_, path, headers, _)] = [seen for server in three for seen in server.seen]
    assert (path, headers["Host"]) == ("/a?b=c", "search")


def test_a_redirect_comes_back_to_the_balancer(three: list[Server]):
    for server in three:
        server.status, server.headers = 302, {"location": "/elsewhere", "set-cookie": "a=b"}
    with client(three, settings=Settings(retries=None)) as search:
        search.max_redirects = 2
        with pytest.raises(httpx.TooManyRedirects):
            search.get("/", follow_redirects=True)
        assert [cookie.domain for cookie in search.cookies.jar] == ["search.local"]
        assert asked(three) == [1, 1, 1]
        assert in_flight(search) == 0


def test_a_request_is_in_flight_until_its_body_is_dropped(three: list[Server]):
    with client(three) as search:
        with search.stream("GET", "/"):
            assert in_flight(search) == 1
        assert in_flight(search) == 0
        with search.stream("GET", "/") as response:
            response.read()
            assert in_flight(search) == 0


def test_a_dead_server_costs_no_request(three: list[Server]):
    with client([dead(), three[0].endpoint]) as search:
        assert [search.get("/").status_code for _ in range(10)] == [200] * 10
        assert in_flight(search) == 0


def test_what_was_not_sent_may_go_elsewhere_even_if_it_is_a_post(three: list[Server]):
    with client([dead(), three[0].endpoint]) as search:
        for _ in range(4):
            assert search.post("/", json={"a": 1}).status_code == 200
    assert {seen[3] for seen in three[0].seen} == {b'{"a":1}'}


def test_a_post_that_may_have_been_carried_out_is_not_repeated(three: list[Server]):
    for server in three:
        server.drop = True
    with client(three) as search, pytest.raises(httpx.RemoteProtocolError):
        search.post("/", json={})
    assert sum(asked(three)) == 1


def test_a_post_that_its_sender_calls_safe_is_repeated(three: list[Server]):
    for server in three:
        server.drop = True
    with client(three) as search, pytest.raises(httpx.RemoteProtocolError) as caught:
        search.post("/", json={}, extensions={"safe": True})
    assert asked(three) == [1, 1, 1], "each was tried"
    assert caught.value.__notes__[0].count("RemoteProtocolError") == 3


def test_a_body_that_can_be_read_once_is_sent_once(three: list[Server]):
    for server in three:
        server.status = 503

    def parts() -> Iterator[bytes]:
        yield b"a"

    with client(three) as search:
        assert search.put("/", content=parts()).status_code == 503
    assert sum(asked(three)) == 1


def test_a_gateway_error_is_tried_elsewhere_and_the_last_is_passed_on(three: list[Server]):
    for server in three:
        server.status = 502
    with client(three) as search:
        response = search.get("/")
        assert (response.status_code, response.text) == (502, "hello")
        assert response.extensions["chosen"].attempts == 3
        assert in_flight(search) == 0
    assert asked(three) == [1, 1, 1]


def test_a_500_is_an_answer(three: list[Server]):
    for server in three:
        server.status = 500
    with client(three) as search:
        assert search.get("/").status_code == 500
    assert sum(asked(three)) == 1


def test_an_empty_budget_allows_no_retry(three: list[Server]):
    for server in three:
        server.status = 503
    settings = Settings(retries=Retries(budget=Budget(ratio=0.5, min_per_s=0)))
    with client(three, settings=settings) as search:
        for _ in range(8):
            search.get("/")
    assert sum(asked(three)) == 8 + 4


def test_nobody_to_ask_is_a_connect_error_that_says_why():
    with client([]) as search, pytest.raises(httpx.ConnectError, match="the membership is empty"):
        search.get("/")


def test_a_full_pool_is_no_fault_of_the_server(three: list[Server]):
    class Full(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            raise httpx.PoolTimeout("full", request=request)

    with client(three, connect=lambda _: Full()) as search:
        for _ in range(9):
            with pytest.raises(httpx.PoolTimeout):
                search.get("/")
        standings = transport(search).balancer.standings(0.0)
    assert [(standing.failed, standing.in_flight) for standing in standings] == [(0, 0)] * 3


def test_a_deadline_bounds_all_attempts(three: list[Server]):
    for server in three:
        server.gate.clear()
    with client(three) as search, pytest.raises(httpx.ReadTimeout):
        search.get("/", extensions={"deadline_s": 0.5})
    assert 1 <= sum(asked(three)) <= 3


def test_tls_asks_for_the_name_that_the_program_uses():
    asked_for: list[str] = []

    class Inner(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            asked_for.append(f"{request.url} {request.extensions['sni_hostname']}")
            return httpx.Response(200)

    transport = BalancedTransport([Endpoint("10.0.0.1", 443)], connect=lambda _: Inner())
    with httpx.Client(transport=transport) as search:
        search.get("https://search.example/x")
    assert asked_for == ["https://10.0.0.1/x search.example"]


def test_a_custom_scheme_is_balanced_http(three: list[Server]):
    transport = BalancedTransport([server.endpoint for server in three])
    with httpx.Client(mounts={"lb://": transport}) as search:
        assert search.get("lb://search/x").url == "lb://search/x"
    assert sum(asked(three)) == 1


def test_one_tls_context_serves_all_endpoints(
    monkeypatch: pytest.MonkeyPatch, three: list[Server]
):
    made: list[ssl.SSLContext] = []
    create = httpx.create_ssl_context

    def counted(*args: Any, **options: Any) -> ssl.SSLContext:
        made.append(create(*args, **options))
        return made[-1]

    monkeypatch.setattr(httpx, "create_ssl_context", counted)
    with client(three) as search:
        for _ in range(3):
            search.get("/")
    assert len(made) == 1


def test_who_leaves_keeps_its_connection_until_it_has_answered(three: list[Server]):
    with client(three) as search:
        balancer = transport(search).balancer
        with search.stream("GET", "/") as response:
            gone = response.extensions["chosen"].endpoint
            balancer.update([s.endpoint for s in three if s.endpoint != gone], 1.0)
            assert response.read() == b"hello"
        assert {search.get("/").extensions["chosen"].endpoint for _ in range(6)} == {
            s.endpoint for s in three if s.endpoint != gone
        }


def hedging(three: list[Server], **options: Any) -> Settings:
    return Settings(hedging=Hedging(enough=1, budget=Budget(ratio=1, min_per_s=0), **options))


def test_a_second_server_is_asked_if_the_first_takes_long(three: list[Server]):
    with client(three[:2], settings=hedging(three, min_delay_s=0.3)) as search:
        search.get("/")
        search.get("/")
        three[0].gate.clear()
        assert [search.get("/").status_code for _ in range(2)] == [200, 200]
        three[0].gate.set()
    assert len(three[1].seen) == 3
    assert len(three[0].seen) in (2, 3)


def test_hedges_have_a_budget(three: list[Server]):
    settings = Settings(
        hedging=Hedging(enough=1, max_delay_s=0.01, budget=Budget(ratio=0.0, min_per_s=0.0))
    )
    with client(three[:2], settings=settings) as search:
        search.get("/")
        for server in three:
            server.gate.clear()
        with pytest.raises(httpx.ReadTimeout):
            search.get("/", extensions={"deadline_s": 0.3})
        assert sum(asked(three)) <= 2


class Found:
    """A resolver that finds them when it is told to."""

    def __init__(self, endpoints: list[Endpoint]) -> None:
        self.endpoints = endpoints
        self.now = threading.Event()

    async def watch(self, publish: Publish) -> None:
        await asyncio.to_thread(self.now.wait, 10)
        publish(self.endpoints)
        await asyncio.Event().wait()


def test_the_first_request_waits_for_the_resolver(three: list[Server]):
    found = Found([server.endpoint for server in three])
    with httpx.Client(
        transport=BalancedTransport(found, policy=RoundRobin()), base_url="http://search"
    ) as search:
        threading.Timer(0.05, found.now.set).start()
        assert [search.get("/").status_code for _ in range(3)] == [200] * 3
    assert asked(three) == [1, 1, 1]


def test_a_resolver_that_finds_nobody_in_time_is_a_connect_timeout():
    found = Found([])
    made = BalancedTransport(found, ready_s=0.01)
    with httpx.Client(transport=made, base_url="http://search") as search:
        with pytest.raises(httpx.ConnectTimeout, match="see whether the resolver's registry"):
            search.get("/")
        found.now.set()


# The same on asyncio


def test_the_first_request_waits_for_the_resolver_on_asyncio_too(three: list[Server]):
    found = Found([server.endpoint for server in three])

    async def main() -> list[int]:
        made = AsyncBalancedTransport(found, policy=RoundRobin())
        async with httpx.AsyncClient(transport=made, base_url="http://search") as search:
            threading.Timer(0.05, found.now.set).start()
            answers = await asyncio.gather(*(search.get("/") for _ in range(3)))
        return [answer.status_code for answer in answers]

    assert asyncio.run(main()) == [200] * 3
    assert asked(three) == [1, 1, 1]


def run(
    of: list[Server] | list[Endpoint], work: Callable[[httpx.AsyncClient], Any], **options: Any
) -> Any:
    endpoints = [one.endpoint if isinstance(one, Server) else one for one in of]
    options.setdefault("random", Random(1))
    options.setdefault("policy", RoundRobin())

    async def main() -> Any:
        made = AsyncBalancedTransport(endpoints, **options)
        async with httpx.AsyncClient(transport=made, base_url="http://search") as search:
            result = await work(search)
        assert [s.in_flight for s in made.balancer.standings(0.0)] == [0] * len(endpoints)
        return result

    return asyncio.run(main())


def test_many_at_once_leave_nothing_in_flight(three: list[Server]):
    async def work(search: httpx.AsyncClient) -> list[int]:
        answers = await asyncio.gather(*(search.get("/") for _ in range(30)))
        return [answer.status_code for answer in answers]

    assert run(three, work) == [200] * 30
    assert asked(three) == [10, 10, 10]


def test_cancelling_leaves_nothing_in_flight_and_blames_nobody(three: list[Server]):
    for server in three:
        server.gate.clear()

    async def work(search: httpx.AsyncClient) -> None:
        for _ in range(9):
            task = asyncio.create_task(search.get("/"))
            before = sum(asked(three))
            while sum(asked(three)) == before:
                await asyncio.sleep(0.001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        made = search._transport
        assert isinstance(made, AsyncBalancedTransport)
        assert [s.failed for s in made.balancer.standings(0.0)] == [0, 0, 0]

    run(three, work)


def test_a_deadline_blames_the_server_that_had_the_time(three: list[Server]):
    for server in three:
        server.gate.clear()

    async def work(search: httpx.AsyncClient) -> list[int]:
        with pytest.raises(httpx.ReadTimeout):
            await search.post("/", extensions={"deadline_s": 0.5})
        made = search._transport
        assert isinstance(made, AsyncBalancedTransport)
        return sorted(s.failed for s in made.balancer.standings(0.0))

    assert run(three, work) == [0, 0, 1]


def test_a_dead_server_costs_no_request_on_asyncio_either(three: list[Server]):
    async def work(search: httpx.AsyncClient) -> list[int]:
        return [(await search.get("/")).status_code for _ in range(10)]

    assert run([dead(), three[0].endpoint], work) == [200] * 10


def test_the_slower_of_two_is_cancelled(three: list[Server]):
    async def work(search: httpx.AsyncClient) -> list[int]:
        for _ in range(2):
            await search.get("/")
        three[0].gate.clear()
        return [(await search.get("/")).status_code for _ in range(4)]

    assert run(three[:2], work, settings=hedging(three, max_delay_s=0.02)) == [200] * 4


def test_an_answer_that_comes_after_its_hedges_makes_later_hedges_wait_no_longer(
    three: list[Server],
):
    settings = hedging(three, min_delay_s=0.2)
    with client(three[:2], settings=settings) as search:
        search.get("/")
        search.get("/")
        balanced = transport(search)._balanced
        latencies = balanced.hedges.latencies
        assert latencies is not None
        three[0].gate.clear()
        answers = [search.get("/") for _ in range(2)]
        three[0].gate.set()
        while in_flight(search):
            threading.Event().wait(0.001)
        counted = sum(latencies._newer)
    assert [answer.status_code for answer in answers] == [200, 200]
    assert counted == 4  # each request once
