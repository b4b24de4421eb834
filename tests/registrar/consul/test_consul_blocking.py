"""Who waits for news is woken by what concerns it, by little else, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from storagebox.registrar.consul.blocking import MAX_WAIT_S, Waiting
from storagebox.registrar.consul.catalog import Catalog, of_service
from storagebox.registrar.consul.definitions import Node, Service
from tests.registrar.consul.served import Served, settle

TIMED = False
REGISTER = "agent/service/register"
WAIT_S = 30.0

Change = Callable[[Served], Awaitable[None]]


def put(path: str, body: Any = b"") -> Change:
    async def change(served: Served) -> None:
        await served.put(path, body)

    return change


def nothing(seconds: float) -> Change:
    async def change(served: Served) -> None:
        served.passes(seconds)

    return change


async def index_of(served: Served, path: str) -> int:
    answer = await served.ask("GET", f"/v1/{path}")
    return int(answer.headers["X-Consul-Index"])


async def is_woken(served: Served, path: str, change: Change) -> bool:
    """Whether who waits at `path` is answered because of a change."""
    index = await index_of(served, path)
    mark = "&" if "?" in path else "?"
    waiting = asyncio.ensure_future(served.ask("GET", f"/v1/{path}{mark}index={index}&wait=1m"))
    await settle()
    assert served.waiting.count == 1
    await change(served)
    await settle()
    woken = waiting.done()
    if woken:
        assert int(waiting.result().headers["X-Consul-Index"]) > index
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await settle()
    assert served.waiting.count == 0
    return woken


WEB = {"Name": "web", "ID": "web1", "Port": 80, "Check": {"TTL": "1m", "Status": "passing"}}
WATCHED: dict[str, tuple[Change, bool]] = {
    "a status": (put("agent/check/warn/service:web1"), True),
    "a TTL that runs out": (nothing(61), True),
    "a weight": (put(REGISTER, {**WEB, "Weights": {"Passing": 2}}), True),
    "a tag": (put(REGISTER, {**WEB, "Tags": ["a"]}), True),
    "a port": (put(REGISTER, {**WEB, "Port": 81}), True),
    "an instance more": (put(REGISTER, {"Name": "web", "ID": "web2"}), True),
    "an instance less": (put("agent/service/deregister/web1"), True),
    "maintenance of the service": (put("agent/service/maintenance/web1?enable=true"), True),
    "maintenance of the node": (put("agent/maintenance?enable=true"), True),
    "the same registration": (put(REGISTER, WEB), False),
    "the same status": (put("agent/check/pass/service:web1"), False),
    "an output alone": (put("agent/check/pass/service:web1?note=other"), False),
    "another service": (put(REGISTER, {"Name": "other"}), False),
    "another service's end": (put("agent/service/deregister/old"), False),
}


@pytest.mark.parametrize("what", WATCHED)
def test_a_watcher_of_a_service_is_woken_by(what: str) -> None:
    async def test() -> None:
        served = Served()
        await served.put(REGISTER, {"Name": "old"})
        await served.put(REGISTER, WEB)
        change, expected = WATCHED[what]
        assert await is_woken(served, "health/service/web", change) is expected

    asyncio.run(test())


def test_a_watcher_of_a_service_that_is_not_there_hears_when_it_comes_or_another_vanishes():
    async def test() -> None:
        served = Served()
        await served.put(REGISTER, {"Name": "web", "ID": "1"})
        await served.put(REGISTER, {"Name": "web", "ID": "2"})
        path = "health/service/none"
        assert not await is_woken(served, path, put(REGISTER, {"Name": "other"}))
        assert not await is_woken(served, path, put("agent/service/deregister/1"))
        assert await is_woken(served, path, put("agent/service/deregister/2"))
        assert await is_woken(served, path, put(REGISTER, {"Name": "none"}))

    asyncio.run(test())


def test_watchers_of_lists_hear_of_what_they_list():
    async def test() -> None:
        served = Served()
        external = {"Node": "ext", "Address": "10.0.0.1"}
        cases: list[tuple[str, Change, bool]] = [
            ("catalog/services", put(REGISTER, {"Name": "new"}), True),
            ("catalog/services", put(REGISTER, {"Name": "new", "Port": 1}), False),
            ("catalog/services", put(REGISTER, {"Name": "new", "Tags": ["t"]}), True),
            ("catalog/nodes", put("catalog/register", external), True),
            ("catalog/nodes", put("catalog/register", external), False),
            ("catalog/node/ext", put("catalog/deregister", {"Node": "ext"}), True),
            ("health/state/any", put("agent/maintenance?enable=true"), True),
            ("health/node/n1", put("agent/maintenance?enable=false"), True),
            ("health/checks/new", put("agent/service/maintenance/new?enable=1"), True),
            ("catalog/service/new", put("agent/service/deregister/new"), True),
        ]
        for path, change, expected in cases:
            assert await is_woken(served, path, change) is expected, path

    asyncio.run(test())


def test_an_output_alone_is_told_five_minutes_later_or_with_the_next_registration():
    async def test() -> None:
        served = Served()
        await served.put(REGISTER, {**WEB, "Check": {"TTL": "1h", "Status": "passing"}})

        async def output() -> str:
            (check,) = await served.get("health/checks/web")
            return check["Output"]

        path = "health/service/web"
        assert not await is_woken(served, path, put("agent/check/pass/service:web1?note=a"))
        assert await output() == ""
        assert (await served.get("agent/checks"))["service:web1"]["Output"] == "a"
        served.passes(200)
        assert not await is_woken(served, path, put("agent/check/pass/service:web1?note=b"))
        assert await is_woken(served, path, nothing(101)), "the first change was 301 s ago"
        assert await output() == "b"
        await served.put("agent/check/pass/service:web1?note=c")
        again = {**WEB, "Check": {"TTL": "1h", "Status": "passing"}}
        assert await is_woken(served, path, put(REGISTER, again))
        assert await output() == "c"

    asyncio.run(test())


def test_an_index_ahead_of_ours_waits_and_then_learns_the_real_one():
    async def test() -> None:
        served = Served()
        answer = await served.ask("GET", "/v1/health/service/web?index=99999&wait=10ms")
        assert (answer.status_code, answer.json()) == (200, [])
        assert int(answer.headers["X-Consul-Index"]) < 99999

    asyncio.run(test())


def test_nobody_misses_a_change_that_comes_right_after_its_answer():
    async def test() -> None:
        served = Served()
        await served.put(REGISTER, {"Name": "web", "ID": "0"})
        for number in range(1, 20):
            index = await index_of(served, "health/service/web")
            # No turn of the loop lies between these: changes share an index until somebody looks.
            served.agent.register_service(Service("web", str(number)), (), served.now_s)
            seen = served.catalog.index_of_service("web")
            served.agent.register_service(Service("web", f"{number}b"), (), served.now_s)
            assert index < seen < served.catalog.index_of_service("web")

    asyncio.run(test())


def test_a_burst_that_nobody_looked_into_takes_one_index():
    catalog = Catalog(first_index=10)
    catalog.put_node(Node("n", "10.0.0.1"))
    before = catalog.latest
    for number in range(100):
        catalog.put_service("n", Service("web", str(number)))
    assert catalog.index_of(of_service("web")) == before + 1


def test_a_hash_blocks_until_the_definition_is_another():
    async def test() -> None:
        served = Served()
        await served.put(REGISTER, WEB)
        answer = await served.ask("GET", "/v1/agent/service/web1")
        known = answer.headers["X-Consul-Contenthash"]
        assert answer.json()["ContentHash"] == known
        at_once = await served.ask("GET", "/v1/agent/service/web1?hash=other&wait=1m")
        assert at_once.headers["X-Consul-Contenthash"] == known
        path = f"/v1/agent/service/web1?hash={known}&wait=1m"
        waiting = asyncio.ensure_future(served.ask("GET", path))
        await settle()
        await served.put("agent/check/fail/service:web1")
        await settle()
        assert not waiting.done(), "a status is no part of the definition"
        await served.put(REGISTER, {**WEB, "Port": 81})
        changed = await asyncio.wait_for(waiting, WAIT_S)
        assert changed.json()["Port"] == 81
        assert changed.headers["X-Consul-Contenthash"] != known
        waiting = asyncio.ensure_future(
            served.ask("GET", path.replace(known, changed.headers["X-Consul-Contenthash"]))
        )
        await settle()
        await served.put("agent/service/deregister/web1")
        gone = await asyncio.wait_for(waiting, WAIT_S)
        assert (gone.status_code, gone.text) == (404, "unknown service ID: web1")

    asyncio.run(test())


def test_waits_are_five_minutes_unless_asked_ten_at_most_and_a_sixteenth_longer():
    assert Waiting(1, 1, lambda: 0.0).wait_s(0) == 300
    assert Waiting(1, 1, lambda: 0.0).wait_s(-5) == 300
    assert Waiting(1, 1, lambda: 0.0).wait_s(1e9) == MAX_WAIT_S == 600
    assert Waiting(1, 1, lambda: 1.0).wait_s(16) == 17


def test_too_many_that_wait_are_refused_with_429_and_the_rest_is_served():
    async def test() -> None:
        served = Served(limit=10, limit_each=3)
        index = await index_of(served, "health/service/web")
        path = f"/v1/health/service/web?index={index}&wait=1m"
        waiting = [asyncio.ensure_future(served.ask("GET", path)) for _ in range(3)]
        await settle()
        refused = await served.ask("GET", path)
        assert refused.status_code == 429
        assert "too many concurrent connections" in refused.text
        await served.put(REGISTER, {"Name": "web"})
        for answer in await asyncio.gather(*waiting):
            assert len(answer.json()) == 1
        assert served.waiting.count == 0

    asyncio.run(test())


def test_a_client_that_goes_away_leaves_nothing_behind():
    async def test() -> None:
        served = Served()
        index = await index_of(served, "health/service/web")
        sent: list[Any] = []
        gone = asyncio.Event()
        requests = iter([{"type": "http.request", "body": b"", "more_body": False}])

        async def receive() -> dict[str, Any]:
            for message in requests:
                return message
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "GET",
            "path": "/v1/health/service/web",
            "raw_path": b"/v1/health/service/web",
            "query_string": f"index={index}&wait=10m".encode(),
            "headers": [],
            "client": ("10.0.0.1", 1),
        }
        asked = asyncio.ensure_future(served.app(scope, receive, send))
        await settle()
        assert served.waiting.count == 1
        watched = served.catalog.wakes.waiting
        gone.set()
        await asyncio.wait_for(asked, WAIT_S)
        assert not sent
        assert served.waiting.count == 0
        assert served.catalog.wakes.waiting < watched

    asyncio.run(test())


def test_who_waits_is_answered_when_the_server_ends():
    async def test() -> None:
        served = Served()
        index = await index_of(served, "health/service/web")
        path = f"/v1/health/service/web?index={index}&wait=10m"
        waiting = asyncio.ensure_future(served.ask("GET", path))
        await settle()
        served.waiting.end(served.catalog.wakes)
        answer = await asyncio.wait_for(waiting, WAIT_S)
        assert (answer.status_code, answer.json()) == (200, [])

    asyncio.run(test())


def test_names_that_came_and_went_leave_no_indexes():
    catalog = Catalog()
    catalog.put_node(Node("n", "10.0.0.1"))
    for number in range(50):
        catalog.put_service("n", Service(f"s{number}", "id"))
        catalog.put_node(Node(f"n{number}", "10.0.0.2"))
        catalog.drop_node(f"n{number}")
    catalog.drop_service("n", "id")
    assert len(catalog._indexes) < 8


def test_pretty_compressed_and_cached_answers_are_told_as_such():
    async def test() -> None:
        served = Served()
        for number in range(10):
            await served.put(REGISTER, {"Name": "web", "ID": str(number)})
        plain = await served.ask("GET", "/v1/health/service/web")
        pretty = await served.ask("GET", "/v1/health/service/web?pretty")
        assert "\n    " in pretty.text
        assert "\n" not in plain.text
        assert pretty.json() == plain.json() == json.loads(plain.text)
        packed = await served.client.get(
            "/v1/health/service/web", headers={"Accept-Encoding": "gzip"}
        )
        assert packed.headers["Content-Encoding"] == "gzip"
        assert packed.headers["Vary"] == "Accept-Encoding"
        cached = await served.ask("GET", "/v1/health/service/web?cached")
        assert (cached.headers["X-Cache"], cached.headers["Age"]) == ("MISS", "0")
        assert isinstance(plain, httpx.Response)

    asyncio.run(test())
