"""Connections, a pool for each endpoint, kept while it is a member or something is under way.

One pool for all would let a server that hangs use up every connection to the others.
"""

import ssl
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import httpx

from storagebox.balance.endpoint import Endpoint
from storagebox.balance.node import Node

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Connecting:
    """How connections are made; as the arguments of `httpx.HTTPTransport`, for each endpoint.

    Args:
        verify: the TLS context, or whether certificates are checked.
        http1, http2: the versions offered. HTTP/2 needs the package h2.
        limits: of one endpoint's connections, not of all together.
    """

    verify: ssl.SSLContext | bool = True
    http1: bool = True
    http2: bool = False
    limits: httpx.Limits = field(
        default_factory=lambda: httpx.Limits(
            max_connections=100, max_keepalive_connections=20, keepalive_expiry=5.0
        )
    )

    def context(self) -> ssl.SSLContext:
        """The TLS context, which takes some 20 ms to make: once for all endpoints."""
        return (
            self.verify
            if isinstance(self.verify, ssl.SSLContext)
            else httpx.create_ssl_context(verify=self.verify)
        )


class Pool(Generic[P]):
    """One endpoint's connections, and how many requests use them."""

    __slots__ = ("address", "connections", "retired", "users")

    def __init__(self, address: tuple[str, int], connections: P) -> None:
        self.address = address
        self.connections = connections
        self.users = 0
        self.retired = False


class Pools(Generic[P]):
    """The pools of a membership. An observer of its balancer: who leaves is retired.

    Args:
        make: makes the connections to one endpoint.
    """

    def __init__(self, make: Callable[[Endpoint], P]) -> None:
        self._make = make
        self._pools: dict[str, Pool[P]] = {}
        self.idle: list[P] = []
        """Connections to who has left, which `to_close` hands out."""
        self.closed = False
        self._lock = threading.Lock()

    def take(self, endpoint: Endpoint) -> Pool[P]:
        """The pool of an endpoint, for one request, which is to `give` it back.

        Raises:
            RuntimeError: the transport has been closed.
        """
        address = _address(endpoint)
        with self._lock:
            if self.closed:
                raise RuntimeError("the transport has been closed: make another")
            pool = self._pools.get(endpoint.id)
            if pool is None or pool.address != address:
                if pool is not None:
                    self._retire(pool)
                pool = self._pools[endpoint.id] = Pool(address, self._make(endpoint))
            pool.users += 1
            return pool

    def give(self, pool: Pool[P]) -> None:
        """A request is through with it."""
        with self._lock:
            pool.users -= 1
            if pool.retired and pool.users == 0:
                self.idle.append(pool.connections)

    @contextmanager
    def using(self, endpoint: Endpoint) -> Generator[P]:
        """The connections to an endpoint, for as long as the block lasts."""
        pool = self.take(endpoint)
        try:
            yield pool.connections
        finally:
            self.give(pool)

    def left(self, gone: Sequence[Node]) -> None:
        """These have left the membership: their connections go once nobody uses them."""
        with self._lock:
            for node in gone:
                pool = self._pools.get(node.endpoint.id)
                if pool is not None and pool.address == _address(node.endpoint):
                    del self._pools[node.endpoint.id]
                    self._retire(pool)

    def to_close(self) -> Iterator[P]:
        """Connections that are to be closed, each told once."""
        while self.idle:
            with self._lock:
                if not self.idle:
                    return
                connections = self.idle.pop()
            yield connections

    def close(self) -> Iterator[P]:
        """The transport ends: all connections are to be closed, and there will be no more."""
        with self._lock:
            self.closed = True
            self.idle += [pool.connections for pool in self._pools.values()]
            self._pools.clear()
        return self.to_close()

    def _retire(self, pool: Pool[P]) -> None:
        pool.retired = True
        if pool.users == 0:
            self.idle.append(pool.connections)


def _address(endpoint: Endpoint) -> tuple[str, int]:
    return endpoint.host, endpoint.port
