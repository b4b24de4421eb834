"""Consul: `health/service` with blocking queries, so that a change is known at once.

    GET /v1/health/service/NAME?index=I&wait=D&stale     blocks until something changes, or D

The rules are those of a good client (Consul's blocking-query documentation; Criteo's
consul-templaterb): an index that goes back starts anew; a return is no proof of a change, so what
follows from the answer is compared; any server may answer (`stale`); calls are limited by a token
bucket, not by a pause. All instances are asked for, not only passing ones: `?passing` would drop
those with a warning, whose weight the service has chosen itself.
"""

import asyncio
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import quote

import httpx

from storagebox.balance.resolver import Publish
from storagebox.balance.resolver.backoff import Backoff, jittered
from storagebox.balance.resolver.consul_answer import read
from storagebox.balance.resolver.faults import Faults
from storagebox.balance.resolver.holding import GRACE_S, Holding
from storagebox.balance.resolver.token_bucket import TokenBucket

MIN_READ_SLACK_S = 1.0
CONNECT_S = 5.0
TOO_MANY_REQUESTS = 429
BURST = 8
"""Calls at once after a quiet time. A rolling restart of three servers is six changes, which each
client should hear of at once; only churn without end is to be slowed down."""
NO_INDEX_S = 60.0
"""Between calls to a server that tells no index and so can't block (Criteo: 15 to 60 s)."""
TURNED_AWAY_S = 60.0
"""After a 429, which an agent gives to who has too many connections (Criteo: 60 to 240 s)."""
MAX_ANSWER_BYTES = 64 * 1024 * 1024


class _Refused(Exception):
    """An answer that says nothing of the service. `retry_s`: it wants so much time."""

    def __init__(self, why: str, retry_s: float | None = None) -> None:
        super().__init__(why)
        self.retry_s = retry_s


@dataclass(frozen=True, slots=True)
class Consul:
    """The instances of a service.

    Weights are `Service.Weights` by status; a critical instance isn't `ready`, one in maintenance
    has weight 0. An endpoint's id is `node/service id`, which survives a restart elsewhere.

    Args:
        service: its name.
        address: of an agent, `http://host:8500` or `unix:///path`. Left out: `CONSUL_HTTP_ADDR`,
            or 127.0.0.1:8500.
        tag: only instances that have it.
        datacenter: another than the agent's own.
        token: sent as `X-Consul-Token`; left out: `CONSUL_HTTP_TOKEN`.
        zone_meta: the key, of the service's `Meta` or its node's, whose value is the zone.
        wait_s: how long a query blocks; Consul's default is 5 min, its limit 10.
        grace_s: how long an empty answer must last (`holding`).
        every_s: while everything changes all the time, one call each so many seconds. Criteo's
            clients make one per 10 s: 2,000 that watch a service with a change a second would
            else fetch it 2,000 times a second.

    Raises:
        ValueError: from `watch`, if the address can't be read.
    """

    service: str
    address: str | None = None
    tag: str | None = None
    datacenter: str | None = None
    token: str | None = field(default=None, repr=False)
    zone_meta: str = "zone"
    wait_s: float = 300.0
    grace_s: float = GRACE_S
    every_s: float = 15.0
    backoff: Backoff = field(default_factory=Backoff)
    seed: int | None = None

    async def watch(self, publish: Publish) -> None:
        agent, socket = base_url(self.address, os.environ)
        token = self.token or os.environ.get("CONSUL_HTTP_TOKEN")
        # The server adds up to a sixteenth to the wait, so that its clients don't return as one.
        patience_s = self.wait_s * 17 / 16 + MIN_READ_SLACK_S
        async with httpx.AsyncClient(
            base_url=agent,
            transport=httpx.AsyncHTTPTransport(uds=socket),
            headers={"X-Consul-Token": token} if token else None,
            timeout=httpx.Timeout(CONNECT_S, read=patience_s),
        ) as client:
            holding = Holding(publish, self.grace_s, asyncio.get_running_loop().call_later)
            try:
                await self._follow(client, holding)
            finally:
                holding.close()

    async def _follow(self, client: httpx.AsyncClient, holding: Holding) -> None:
        random = Random(self.seed)
        bucket = TokenBucket(BURST, self.every_s)
        faults = Faults(f"Consul's service {self.service}")
        index = failures = 0
        while True:
            await asyncio.sleep(bucket.wait_s(time.monotonic()))
            try:
                told, entries = await self._ask(client, index)
                endpoints, dropped = read(entries, self.zone_meta)
            except (httpx.HTTPError, _Refused, ValueError) as fault:
                failures += 1
                wait_s = self.backoff.wait_s(failures, random)
                if isinstance(fault, _Refused) and fault.retry_s is not None:
                    wait_s = max(wait_s, jittered(fault.retry_s, random))
                faults.failed(str(fault) or type(fault).__name__, wait_s)
                await asyncio.sleep(wait_s)
                continue
            failures = 0
            faults.answered()
            faults.dropped(dropped)
            holding.see(endpoints)
            index = next_index(index, told)
            if told is None:
                await asyncio.sleep(jittered(min(NO_INDEX_S, self.wait_s), random))

    async def _ask(self, client: httpx.AsyncClient, index: int) -> tuple[int | None, Any]:
        asked: dict[str, str] = {"stale": ""}
        if index:
            asked |= {"index": str(index), "wait": f"{self.wait_s * 1000:.0f}ms"}
        if self.tag is not None:
            asked["tag"] = self.tag
        if self.datacenter is not None:
            asked["dc"] = self.datacenter
        path = f"/v1/health/service/{quote(self.service, safe='')}"
        async with client.stream("GET", path, params=asked) as answer:
            body = b""
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > MAX_ANSWER_BYTES:
                    raise _Refused(f"its answer is larger than {MAX_ANSWER_BYTES >> 20} MiB")
        if not answer.is_success:
            text = body[:200].decode("utf-8", "replace").strip()
            too_many = answer.status_code == TOO_MANY_REQUESTS
            raise _Refused(
                f"it answers {answer.status_code} {text}", TURNED_AWAY_S if too_many else None
            )
        try:
            return _index(answer.headers), json.loads(body)
        except (ValueError, RecursionError):
            raise _Refused("its answer is no JSON") from None


def next_index(index: int, told: int | None) -> int:
    """What to ask for next: one that goes back has been reset, and 0 would never block."""
    if told is None or told < index:
        return 0
    return max(1, told)


def _index(headers: Mapping[str, str]) -> int | None:
    told = headers.get("X-Consul-Index", "")
    return int(told) if told.isascii() and told.isdigit() else None


def base_url(address: str | None, environment: Mapping[str, str]) -> tuple[str, str | None]:
    """The URL of an agent, and the path of its Unix socket if it listens at one.

    Raises:
        ValueError: the address can't be read.
    """
    told = address or environment.get("CONSUL_HTTP_ADDR") or "127.0.0.1:8500"
    if told.startswith("unix://"):
        return "http://consul", told.removeprefix("unix://")
    if "://" not in told:
        secure = environment.get("CONSUL_HTTP_SSL", "").lower() in ("1", "true")
        told = f"{'https' if secure else 'http'}://{told}"
    try:
        url = httpx.URL(told)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError(
            f"Consul's address {told!r} can't be read: give host:port, http://host:port or"
            " unix:///path"
        )
    return told.rstrip("/"), None
