"""JSON-RPC for asyncio: `phantom.rpc`, futures for its callbacks, coroutines for its methods."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from phantom import rpc as core
from phantom.observer import Observer
from phantom.properties import Properties
from phantom.rpc import RpcError

Fault = Callable[[str, BaseException], None]
Json = Any  # what json.loads gives


def _ignore(method: str, fault: BaseException) -> None:
    del method, fault


class Conversation:
    """One end of a JSON-RPC conversation. `send` takes one whole message and must not raise.

    Time is driven by `tick`, a few times a second. `fault` hears of methods that failed
    unexpectedly, `refused` of the kind of each message that was refused.
    """

    def __init__(
        self,
        send: Callable[[bytes], object],
        limit: int = 8192,
        fault: Fault = _ignore,
        refused: Callable[[str], object] | None = None,
    ) -> None:
        self._rpc = core.Rpc(send, limit, fault, refused)
        self._observer: Observer | None = None
        self._fault = fault
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def malformed(self) -> int:
        """Messages from the peer that were not JSON-RPC."""
        return self._rpc.malformed

    def serve(self, name: str, method: Callable[..., Any]) -> None:
        """Answer calls of `name`. A coroutine function answers when it is done."""
        if inspect.iscoroutinefunction(method):

            def start(*args: Json, **params: Json) -> object:
                inspect.signature(method).bind(*args, **params)  # a TypeError is INVALID_PARAMS
                task = asyncio.ensure_future(
                    self._answer(self._rpc.request_id, name, method, args, params)
                )
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                return core.LATER

            self._rpc.register(name, start)
        else:
            self._rpc.register(name, method)

    async def call(self, method: str, params: Mapping[str, Json], timeout_s: float) -> Json:
        """The peer's result. Raises RpcError: the peer's, or TIMED_OUT, CLOSED, BUSY."""
        future: asyncio.Future[Json] = asyncio.get_running_loop().create_future()

        def finish(result: Json, error: RpcError | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        self._rpc.call(method, dict(params), round(timeout_s * 1000), finish)
        return await future

    def notify(self, method: str, params: Mapping[str, Json]) -> bool:
        """Tell the peer without an answer; False if the message is over the limit."""
        return self._rpc.notify(method, dict(params))

    def publish(self, properties: Properties) -> None:
        """Let the peer observe properties of this end, whose owner calls their `chore`."""
        properties.attach(self._rpc)

    def observe(self, on_change: Callable[[str, Json], object] | None = None) -> Observer:
        """Follow all properties of the peer from the next `opened` on; one observer for all."""
        if self._observer is None:
            self._observer = Observer(self._rpc)
        if on_change:
            self._observer.watch(on_change)
        return self._observer

    def opened(self) -> None:
        """A new transport stands: what is observed is read anew."""
        if self._observer:
            self._observer.start()

    def receive(self, message: bytes | bytearray | memoryview) -> None:
        """Take one whole message. Never raises."""
        self._rpc.receive(message)

    def tick(self, now_ms: int) -> None:
        """Let calls time out; `now_ms` from any clock that does not step."""
        self._rpc.tick(now_ms)
        if self._observer:
            self._observer.tick()

    def close(self) -> None:
        """The transport is gone: fail the calls that wait, drop the answers under way."""
        if self._observer:
            self._observer.stop()
        self._rpc.close()
        for task in self._tasks:
            task.cancel()

    async def _answer(
        self,
        request_id: int | str | None,
        name: str,
        method: Callable[..., Any],
        args: tuple[Json, ...],
        params: dict[str, Json],
    ) -> None:
        result: Json = None
        error: RpcError | None = None
        try:
            result = await method(*args, **params)
        except RpcError as fault:
            error = fault
        except (TypeError, ValueError, KeyError) as fault:
            error = RpcError(core.INVALID_PARAMS, f"{name}: {fault}")
        except Exception as fault:
            self._fault(name, fault)
            error = RpcError(core.INTERNAL_ERROR, f"{name}: {type(fault).__name__}")
        self._rpc.respond(request_id, result, error)
