"""The API over httpx's ASGI transport: no socket and no process, but all the code behind them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from storagebox.search.server.app import create
from storagebox.search.server.tenant import Share
from storagebox.search.writes.application import Application

ADMIN = "0123456789abcdef0123456789abcdef"
APP = "MUSIC"
NOW_S = 1_800_000_000.0

TRACKS: tuple[dict[str, Any], ...] = (
    {"objectID": "heroes", "title": "Heroes", "artist": "David Bowie", "year": 1977},
    {"objectID": "ashes", "title": "Ashes to Ashes", "artist": "David Bowie", "year": 1980},
    {"objectID": "sun", "title": "Here Comes the Sun", "artist": "The Beatles", "year": 1969},
)


class Api:
    """One client of the API, without an event loop of its own to mind."""

    def __init__(self, folder: Path, apps: tuple[str, ...] = (APP,), **options: Any) -> None:
        self.now_s = NOW_S
        self.events: list[tuple[str, dict[str, Any]]] = []
        self._runner = asyncio.Runner()
        self.applications = {
            name: Application.open(folder / name, name, clock=self.clock, admin_key=ADMIN)
            for name in apps
        }
        self.app, self.service = create(
            self.applications,
            clock=self.clock,
            report=lambda event, **fields: self.events.append((event, fields)),
            **options,
        )
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app), base_url="http://search"
        )

    def clock(self) -> float:
        return self.now_s

    def close(self) -> None:
        self._runner.run(self.http.aclose())
        self._runner.close()
        self.service.turns.close()
        for application in self.applications.values():
            application.close()

    def run(self, work: Any) -> Any:
        """Run a coroutine in the client's loop."""
        return self._runner.run(work)

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str = ADMIN,
        app: str = APP,
        **more: Any,
    ) -> httpx.Response:
        headers = {"x-algolia-application-id": app, "x-algolia-api-key": key}
        headers.update(more.pop("headers", {}))
        if body is not None:
            more["json"] = body
        return await self.http.request(method, path, headers=headers, **more)

    def __call__(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        return self._runner.run(self.send(method, path, body, **more))

    def ok(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """The answer, which has to be a good one."""
        answer = self(method, path, body, **more)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def refused(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, str]:
        """Status and message of an answer that has to be an error, in the shape of all errors."""
        answer = self(method, path, body, **more)
        told = answer.json()
        assert answer.status_code >= 400, answer.text
        assert told["status"] == answer.status_code
        assert answer.headers["content-type"].startswith("application/json")
        return answer.status_code, told["message"]

    def done(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """A write, waited for."""
        answer = self.ok(method, path, body, **more)
        task = answer.get("taskID")
        application = self.applications[more.get("app", APP)]
        if task is None:  # a key's: it has no task
            task = application.submit(_nothing())
        for each in task.values() if isinstance(task, Mapping) else (task,):
            assert application.wait(each, 10)
        return answer

    def save(self, index: str, records: Any = TRACKS, **more: Any) -> str:
        requests = [{"action": "addObject", "body": record} for record in records]
        self.done("POST", f"/1/indexes/{index}/batch", {"requests": requests}, **more)
        return index

    def key(self, *acl: str, **fields: Any) -> str:
        """A new key that may do this."""
        return str(self.done("POST", "/1/keys", {"acl": list(acl), **fields})["key"])

    def found(self, index: str, query: str = "", **more: Any) -> list[str]:
        """The ids of what a search finds."""
        answer = self.ok("POST", f"/1/indexes/{index}/query", {"query": query}, **more)
        return [hit["objectID"] for hit in answer["hits"]]


def _nothing() -> Any:
    from storagebox.search.writes.operations import ClearIndex

    return ClearIndex("nothing")


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Api]]:
    """Makes an Api as a test wants it."""
    with ExitStack() as stack:

        def made(**options: Any) -> Api:
            api = Api(tmp_path, **options)
            stack.callback(api.close)
            return api

        yield made


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """One that all tests of a module share: each has indices of its own."""
    api = Api(tmp_path_factory.mktemp("search"), share=Share())
    yield api
    api.close()
