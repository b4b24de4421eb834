"""Checks over time: TTLs, thresholds, reaping, and what a new registration keeps."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from storagebox.registrar.consul.checks import Thresholds, http_status
from storagebox.registrar.consul.definitions import CRITICAL, PASSING, WARNING
from tests.registrar.consul.served import Served

TIMED = False
REGISTER = "agent/service/register"


async def status(served: Served, check_id: str = "service:web") -> str:
    return (await served.get("agent/checks"))[check_id]["Status"]


def test_the_first_result_counts_at_once_and_later_ones_by_their_number():
    checks = Thresholds(successes=3, failures=2)
    results = [PASSING, CRITICAL, CRITICAL, PASSING, PASSING, CRITICAL, PASSING, WARNING, PASSING]
    reached = [checks.result(each) for each in results]
    assert reached == [PASSING, None, CRITICAL, None, None, None, None, None, PASSING]


def test_without_thresholds_every_result_counts():
    checks = Thresholds(0, 0)
    for result in (CRITICAL, PASSING, WARNING, CRITICAL):
        assert checks.result(result) == result


@pytest.mark.parametrize(
    ("code", "expected"),
    [(200, PASSING), (299, PASSING), (429, WARNING), (302, CRITICAL), (404, CRITICAL)],
)
def test_an_http_check_judges_by_the_status(code: int, expected: str) -> None:
    assert http_status(code) == expected


def test_a_ttl_runs_from_the_last_word_and_tells_it_when_it_is_over():
    async def test() -> None:
        served = Served()
        await served.put(REGISTER, {"Name": "web", "Check": {"TTL": "10s"}})
        assert await status(served) == CRITICAL, "until it has passed"
        await served.put("agent/check/pass/service:web?note=well")
        served.passes(9.9)
        await served.put("agent/check/pass/service:web?note=still")
        served.passes(9.9)
        assert await status(served) == PASSING
        served.passes(0.2)
        check = (await served.get("agent/checks"))["service:web"]
        assert check["Status"] == CRITICAL
        assert check["Output"] == "TTL expired (last output before timeout follows): still"
        await served.put("agent/check/pass/service:web")
        assert await status(served) == PASSING

    asyncio.run(test())


def test_the_agent_knows_when_time_alone_changes_something():
    async def test() -> None:
        served = Served()
        assert served.agent.due_s is None
        check = {"TTL": "10s", "Status": "passing"}
        await served.put(REGISTER, {"Name": "web", "Check": check})
        assert served.agent.due_s == served.now_s + 10
        served.passes(10)
        assert served.agent.due_s is None

    asyncio.run(test())


def test_a_service_critical_for_longer_than_it_wanted_is_deregistered():
    async def test() -> None:
        served = Served()
        check = {"TTL": "1h", "DeregisterCriticalServiceAfter": "90s"}
        await served.put(REGISTER, {"Name": "web", "Check": check})
        await served.put("agent/check/pass/service:web")
        served.passes(1000)
        await served.put("agent/check/fail/service:web")
        served.passes(89)
        assert await served.get("agent/services")
        await served.put("agent/check/warn/service:web")
        await served.put("agent/check/fail/service:web")
        served.passes(89)
        assert await served.get("agent/services"), "it had been better in between"
        served.passes(2)
        assert await served.get("agent/services") == {}
        assert await served.get("health/service/web") == []

    asyncio.run(test())


def test_nobody_is_deregistered_within_a_minute():
    async def test() -> None:
        served = Served()
        check = {"TTL": "1h", "DeregisterCriticalServiceAfter": "1s"}
        await served.put(REGISTER, {"Name": "web", "Check": check})
        served.passes(59)
        assert await served.get("agent/services")
        served.passes(2)
        assert await served.get("agent/services") == {}

    asyncio.run(test())


def test_a_service_registered_anew_over_and_over_is_probed_all_the_same():
    async def test() -> None:
        served = Served()
        body = {"Name": "web", "Check": {"TCP": "127.0.0.1:1", "Interval": "10s"}}
        await served.put(REGISTER, body)
        before = served.agent.checks["service:web"]
        await served.put(REGISTER, body)
        assert served.agent.checks["service:web"] is before
        await served.put(REGISTER, {"Name": "web", "Check": {**body["Check"], "Interval": "5s"}})
        assert served.agent.checks["service:web"] is not before

    asyncio.run(test())


def test_a_result_of_a_check_that_was_replaced_is_not_taken():
    async def test() -> None:
        served = Served()
        body: dict[str, Any] = {"Name": "c", "TCP": "127.0.0.1:1", "Interval": "10s"}
        await served.put("agent/check/register", body)
        old = served.agent.checks["c"]
        await served.put("agent/check/register", {**body, "TCP": "127.0.0.1:2"})
        served.agent.note_result("c", old, PASSING, "it was well", served.now_s)
        assert await status(served, "c") == CRITICAL
        new = served.agent.checks["c"]
        served.agent.note_result("c", new, PASSING, "it is well", served.now_s)
        assert await status(served, "c") == PASSING

    asyncio.run(test())


def test_local_health_is_the_worst_and_maintenance_before_all():
    async def test() -> None:
        served = Served()
        await served.put(REGISTER, {"Name": "web", "ID": "1", "Check": {"TTL": "1m"}})
        await served.put(REGISTER, {"Name": "web", "ID": "2"})

        async def seen(path: str) -> tuple[int, str]:
            answer = await served.ask("GET", f"/v1/agent/health/service/{path}?format=text")
            assert answer.headers["X-Consul-Reason"] == answer.text
            return answer.status_code, answer.text

        assert await seen("id/1") == (503, CRITICAL)
        assert await seen("id/2") == (200, PASSING)
        assert await seen("name/web") == (503, CRITICAL)
        await served.put("agent/check/warn/service:1")
        assert await seen("name/web") == (429, WARNING)
        await served.put("agent/maintenance?enable=true")
        assert await seen("id/2") == (503, "maintenance")
        assert await seen("name/none") == (404, "ServiceName none Not Found")

    asyncio.run(test())
