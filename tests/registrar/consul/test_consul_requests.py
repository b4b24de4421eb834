"""Whatever is sent, the answer is Consul's or a refusal, and what is kept has bounds."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storagebox.registrar.consul import agent as agents
from storagebox.registrar.consul import catalog as catalogs
from storagebox.registrar.consul import durations, registration, requests
from storagebox.registrar.consul.address import AddressFault, parse
from storagebox.registrar.consul.http import MAX_BODY_BYTES
from storagebox.registrar.consul.refused import Refused
from tests.registrar.consul.served import Served

TIMED = False
KEYS = ["Name", "id", "PORT", "Tags", "meta", "Weights", "Check", "Checks", "TTL", "HTTP"]
KEYS += ["Interval", "Passing", "Connect", "SidecarService", "TaggedAddresses", "Status", "x"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["10s", "1h30m", "passing", "-1s"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=8))
def test_any_json_is_a_definition_or_refused(body: dict[str, Any]) -> None:
    sent = json.dumps(body).encode()
    for schema, rules in (
        (requests.SERVICE_DEFINITION, (registration.service, registration.checks)),
        (requests.CHECK_DEFINITION, (registration.check,)),
    ):
        try:
            fields = requests.decode(sent, schema)
            for rule in rules:
                rule(fields)
        except Refused as refused:
            told = refused.status, bool(refused.text)
            assert told in ((400, True), (500, True))


@given(st.binary(max_size=60) | st.text('[]{}":, \\truefalsn-10.e', max_size=30).map(str.encode))
def test_any_bytes_are_json_or_refused(body: bytes) -> None:
    try:
        requests.decode(body, requests.UPDATE)
    except Refused as refused:
        said = refused.text
        assert said.startswith("Request decode failed: ")


def test_depth_beyond_reason_is_refused_before_it_is_parsed():
    with pytest.raises(Refused, match="max depth"):
        requests.decode(b'{"Check":' + b"[" * 100_000, requests.SERVICE_DEFINITION)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10s", 10),
        ("300ms", 0.3),
        ("1h30m", 5400),
        ("1.5s", 1.5),
        ("-2s", -2),
        ("0", 0),
        ("5µs", 5e-6),
    ],
)
def test_durations_are_gos(text: str, seconds: float) -> None:
    assert durations.seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "10", "abc", "1d", "s", "1s2", "-", "9e9h", "99999999999h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(durations.DurationError, match="time: "):
        durations.seconds(text)


def test_a_body_beyond_the_limit_is_refused_with_413():
    async def test() -> None:
        served = Served()
        body = json.dumps({"Name": "x" * MAX_BODY_BYTES}).encode()
        answer = await served.ask("PUT", "/v1/agent/service/register", body)
        assert answer.status_code == 413
        assert await served.get("agent/services") == {}

    asyncio.run(test())


def test_services_and_checks_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agents, "MAX_SERVICES", 2)
    monkeypatch.setattr(agents, "MAX_CHECKS", 3)
    monkeypatch.setattr(catalogs, "MAX_NODES", 2)

    async def test() -> None:
        served = Served()

        async def put(path: str, body: Any) -> int:
            return (await served.ask("PUT", f"/v1/{path}", body)).status_code

        register = "agent/service/register"
        assert await put(register, {"Name": "a", "Check": {"TTL": "1s"}}) == 200
        assert await put(register, {"Name": "b", "Checks": [{"TTL": "1s"}] * 3}) == 429
        assert await put(register, {"Name": "b", "Checks": [{"TTL": "1s"}] * 2}) == 200
        assert await put(register, {"Name": "c"}) == 429
        assert await put(register, {"Name": "b", "Port": 1}) == 200, "it is there already"
        assert await put("agent/check/register", {"Name": "n", "TTL": "1s"}) == 429
        assert sorted(await served.get("agent/services")) == ["a", "b"]
        assert await put("catalog/register", {"Node": "x", "Address": "10.0.0.1"}) == 200
        assert await put("catalog/register", {"Node": "y", "Address": "10.0.0.1"}) == 429

    asyncio.run(test())


def test_a_connect_sidecar_is_registered_beside_its_service():
    async def test() -> None:
        served = Served()
        for _ in range(2):
            body = {"Name": "web", "connect": {"sidecar_service": {}}}
            await served.put("agent/service/register", body)
        services = await served.get("agent/services")
        assert sorted(services) == ["web", "web-sidecar-proxy"]
        assert services["web-sidecar-proxy"]["Port"] == 21000

    asyncio.run(test())


def test_addresses_are_told_apart_from_ports():
    assert parse("127.0.0.1:8500") == ("127.0.0.1", 8500)
    assert parse("[::1]:8600") == ("::1", 8600)
    for text in ("", "8500", "127.0.0.1", "::1:8500", "host:1", "127.0.0.1:70000", "1.1.1.1:-1"):
        with pytest.raises(AddressFault, match="ADDRESS:PORT"):
            parse(text)


def test_half_a_surrogate_pair_is_told_as_something():
    async def test() -> None:
        served = Served()
        await served.put("agent/service/register", b'{"Name": "a", "Tags": ["x\\ud800y"]}')
        assert (await served.get("agent/services"))["a"]["Tags"] == ["x?y"]

    asyncio.run(test())
