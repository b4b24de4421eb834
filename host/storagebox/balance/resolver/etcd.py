"""etcd: a key for each server under a prefix, and a watch on it (v3, by its JSON gateway).

    PUT services/search/box-1  {"host": "10.0.0.1", "port": 80, "weight": 3, "zone": "attic"}

First a range tells all and at which revision; then a watch from the next revision on tells each
change. Whenever the watch ends, because a connection broke, the revision has been compacted away,
or etcd has lost its data and counts anew, all is read again. A server keeps its key alive by a
lease of its own.
"""

import asyncio
import base64
import json
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, cast

import httpx

from storagebox.balance.endpoint import Endpoint
from storagebox.balance.resolver import Publish
from storagebox.balance.resolver.backoff import Backoff, jittered
from storagebox.balance.resolver.faults import Faults, Read
from storagebox.balance.resolver.holding import GRACE_S, Holding
from storagebox.balance.resolver.token_bucket import TokenBucket

TIMEOUT_S = 5.0
RESYNC_S = 60.0
"""All is read again after so long without an event: a watch whose connection has silently died
looks like one in which nothing happens."""
BURST = 3


class _Ended(Exception):
    """The watch is over, and that is nobody's fault: read all again."""


@dataclass(frozen=True, slots=True)
class Etcd:
    """The servers whose keys are under a prefix.

    Args:
        prefix: such as `services/search/`; what follows it in a key is the endpoint's id.
        addresses: of etcd, `http://host:2379`; one that fails gives way to the next.
        grace_s: how long nobody must be there before that is published (`holding`).

    Raises:
        ValueError: from `watch`, if the prefix is empty or there is no address.
    """

    prefix: str
    addresses: Sequence[str] = ("http://127.0.0.1:2379",)
    grace_s: float = GRACE_S
    resync_s: float = RESYNC_S
    every_s: float = 1.0
    backoff: Backoff = field(default_factory=Backoff)
    seed: int | None = None

    async def watch(self, publish: Publish) -> None:
        if not self.prefix or isinstance(self.addresses, str) or not self.addresses:
            raise ValueError("etcd: give a prefix that isn't empty, and a list of addresses")
        random = Random(self.seed)
        faults = Faults(f"etcd's prefix {self.prefix}")
        bucket = TokenBucket(BURST, self.every_s)
        holding = Holding(publish, self.grace_s, asyncio.get_running_loop().call_later)
        failures = at = 0
        try:
            while True:
                await asyncio.sleep(bucket.wait_s(time.monotonic()))
                address = self.addresses[at % len(self.addresses)]
                try:
                    async for known in self._follow(address, random):
                        failures = 0
                        faults.answered()
                        endpoints, dropped = read(known)
                        faults.dropped(dropped)
                        holding.see(endpoints)
                except _Ended:
                    continue
                except (httpx.HTTPError, httpx.InvalidURL, ValueError, RecursionError) as fault:
                    at += 1
                    failures += 1
                    wait_s = self.backoff.wait_s(failures, random)
                    faults.failed(f"{address}: {fault or type(fault).__name__}", wait_s)
                    await asyncio.sleep(wait_s)
        finally:
            holding.close()

    async def _follow(
        self, address: str, random: Random
    ) -> AsyncGenerator[Mapping[str, bytes | None], None]:
        """All values by id, at first and after each change; ends by raising."""
        span = {
            "key": _encoded(self.prefix.encode()),
            "range_end": _encoded(after(self.prefix.encode())),
        }
        resync_s = jittered(self.resync_s, random)
        async with httpx.AsyncClient(
            base_url=address, timeout=httpx.Timeout(TIMEOUT_S, read=resync_s), trust_env=False
        ) as client:
            answer = await client.post("/v3/kv/range", json=span, timeout=TIMEOUT_S)
            if not answer.is_success:
                raise ValueError(f"it answers {answer.status_code} {answer.text[:200].strip()}")
            said = _object(answer.json())
            known = dict(self._pair(pair) for pair in _list(said.get("kvs")))
            yield known
            start = _revision(said) + 1
            watch = {"create_request": {**span, "start_revision": str(start)}}
            try:
                async with client.stream("POST", "/v3/watch", json=watch) as events:
                    async for line in events.aiter_lines():
                        if self._apply(known, line):
                            yield known
            except httpx.ReadTimeout:
                raise _Ended from None
            raise ValueError("it has closed the watch")

    def _apply(self, known: dict[str, bytes | None], line: str) -> bool:
        """One message of the watch; whether it changed anything."""
        if not line.strip():
            return False
        said = _object(json.loads(line))
        if "error" in said:
            raise ValueError(f"the watch ended: {str(said['error'])[:200]}")
        result = _object(said.get("result"))
        if result.get("canceled"):
            raise _Ended  # compacted, or it says why in cancel_reason; either way all is read anew
        events = _list(result.get("events"))
        for event in events:
            event = _object(event)
            id_, value = self._pair(event.get("kv"))
            if event.get("type") == "DELETE":
                known.pop(id_, None)
            else:
                known[id_] = value
        return bool(events)

    def _pair(self, pair: object) -> tuple[str, bytes | None]:
        pair = _object(pair)
        key = _decoded(pair.get("key")).decode("utf-8", "replace")
        value = pair.get("value")
        return key.removeprefix(self.prefix), None if value is None else _decoded(value)


def after(prefix: bytes) -> bytes:
    """The first key behind all that begin with the prefix (etcd's `range_end`)."""
    kept = prefix.rstrip(b"\xff")
    return kept[:-1] + bytes([kept[-1] + 1]) if kept else b"\0"


def read(known: Mapping[str, bytes | None]) -> Read:
    """The endpoints of all values, and what was wrong with the others."""
    endpoints: list[Endpoint] = []
    dropped: list[str] = []
    for id_, value in known.items():
        try:
            endpoints.append(_endpoint(id_, value))
        except (ValueError, OverflowError, RecursionError) as fault:
            dropped.append(f"{id_}: {fault}")
    return endpoints, dropped


def _endpoint(id_: str, value: bytes | None) -> Endpoint:
    said = _object(json.loads(value or b""))
    host, port, weight = said.get("host"), said.get("port"), said.get("weight")
    if not isinstance(host, str) or isinstance(port, bool) or not isinstance(port, int):
        raise ValueError("its value has no host as text, or no port as a number")
    if weight is not None and (isinstance(weight, bool) or not isinstance(weight, int | float)):
        raise ValueError(f"its weight is {weight!r}")
    return Endpoint(host, port, weight=weight, zone=str(said.get("zone") or ""), id=id_)


def _revision(said: Mapping[str, Any]) -> int:
    return int(_object(said.get("header")).get("revision", 0))


def _encoded(key: bytes) -> str:
    return base64.b64encode(key).decode("ascii")


def _decoded(text: object) -> bytes:
    return base64.b64decode(text if isinstance(text, str) else "", validate=True)


def _object(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("what it says is no JSON object")
    return cast(dict[str, Any], value)


def _list(value: object) -> list[object]:
    return cast(list[object], value) if isinstance(value, list) else []
