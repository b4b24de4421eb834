"""A body on its way to the program: when it has been read or dropped, its request is done.

A response is handed over at its headers, and its server works on until the body is through. So
what holds the in-flight count is the stream that the program reads, and every way to be rid of a
stream ends in `close`.

A small body of a request that may be repeated is read before the program gets its headers: were it
torn while the program reads, nobody could ask another server any more.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Protocol

import httpx

from storagebox.balance.outcome import Outcome
from storagebox.balance.transport.faults import as_httpx, outcome_of_error

End = Callable[[Outcome | None], None]
"""Takes how reading ended; `None`: well, so the status decides."""

Check = Callable[[], None]
"""Raises once the deadline is over."""


class _SyncSource(Protocol):
    def __iter__(self) -> Iterator[bytes]: ...
    def close(self) -> None: ...


class _AsyncSource(Protocol):
    def __aiter__(self) -> AsyncIterator[bytes]: ...
    async def aclose(self) -> None: ...


AHEAD_BYTES = 65536
"""Bodies known to be no longer are read ahead."""


def is_small(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Whether the answer says itself that little is to come. A stream without end says nothing."""
    for name, value in headers:
        if name.lower() == b"content-length":
            return value.isdigit() and int(value[:9]) <= AHEAD_BYTES
    return False


class SyncAhead:
    """A body that has been read; raises what reading raises."""

    def __init__(self, source: _SyncSource, check: Check | None) -> None:
        self._source = source
        self._parts: list[bytes] = []
        try:
            for part in source:
                if check is not None:
                    check()
                self._parts.append(part)
        except BaseException:
            source.close()
            raise

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._parts)

    def close(self) -> None:
        """Give its connection back, if it still has one."""
        self._source.close()


class AsyncAhead:
    """A body that has been read; `read` makes it and raises what reading raises."""

    def __init__(self, source: _AsyncSource, parts: Sequence[bytes]) -> None:
        self._source = source
        self._parts = parts

    @classmethod
    async def read(cls, source: _AsyncSource, check: Check | None) -> "AsyncAhead":
        """Read all of it."""
        parts: list[bytes] = []
        try:
            async for part in source:
                if check is not None:
                    check()
                parts.append(part)
            return cls(source, parts)
        except BaseException:
            await source.aclose()
            raise

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self._parts:
            yield part

    async def aclose(self) -> None:
        """Give its connection back, if it still has one."""
        await self._source.aclose()


class SyncBody(httpx.SyncByteStream):
    """Passes a body on and tells of its end."""

    def __init__(self, source: _SyncSource, end: End, check: Check | None) -> None:
        self._source = source
        self._end = end
        self._check = check

    def __iter__(self) -> Iterator[bytes]:
        try:
            for part in self._source:
                if self._check is not None:
                    self._check()
                yield part
        except GeneratorExit:
            raise  # the program reads no further, and closes
        except BaseException as error:
            self._end(outcome_of_error(error))
            told = as_httpx(error)
            if told is error:
                raise
            raise told from error

    def close(self) -> None:
        try:
            self._source.close()
        finally:
            self._end(None)


class AsyncBody(httpx.AsyncByteStream):
    """Passes a body on and tells of its end."""

    def __init__(self, source: _AsyncSource, end: End, check: Check | None) -> None:
        self._source = source
        self._end = end
        self._check = check

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._source:
                if self._check is not None:
                    self._check()
                yield part
        except GeneratorExit:
            raise
        except BaseException as error:
            self._end(outcome_of_error(error))
            told = as_httpx(error)
            if told is error:
                raise
            raise told from error

    async def aclose(self) -> None:
        try:
            await self._source.aclose()
        finally:
            self._end(None)
