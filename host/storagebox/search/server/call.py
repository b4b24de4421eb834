"""A request that was admitted, as what answers it sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Final
from uuid import uuid4

from storagebox.search.language.settings import Settings
from storagebox.search.server import body as bodies
from storagebox.search.server.credentials import Asked
from storagebox.search.server.grants import Grant
from storagebox.search.server.tenant import Tenant
from storagebox.search.server.turns import Turns
from storagebox.search.writes.application import Application
from storagebox.search.writes.operations import Batch, Operation, indices
from storagebox.search.writes.refused import Refused
from storagebox.search.writes.state import View

# From here on, making sense of a body is work for a thread.
_LONG_BYTES: Final = 64 << 10


@dataclass(slots=True)
class Call:
    """One request. `path` are the variable parts of its path, decoded."""

    tenant: Tenant
    grant: Grant
    asked: Asked
    target: str  # path and query string as they came
    path: Mapping[str, str]
    body: bytes
    now_s: float  # Unix time
    turns: Turns
    began_s: float = field(default_factory=perf_counter)
    # What the log of requests is to tell.
    indices: list[str] = field(default_factory=list[str])
    hits: int | None = None
    queries: int = 1

    @property
    def application(self) -> Application:
        """Whose it is."""
        return self.tenant.application

    @property
    def query(self) -> Mapping[str, str]:
        """The parameters in the address."""
        return self.asked.query

    def json(self) -> Any:
        """The body. Raises Refused."""
        return bodies.parse(self.body)

    def fields(self, *, optional: bool = False) -> dict[str, Any]:
        """The body, a JSON object; with `optional` none is an empty one. Raises Refused."""
        if optional and not self.body:
            return {}
        value = self.json()
        if not isinstance(value, dict):
            raise Refused("the body has to be a JSON object")
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """A parameter in the address that is true or false. Raises Refused."""
        text = self.query.get(name)
        if text is None or text == "":
            return default
        if text.lower() not in ("true", "false", "1", "0"):
            raise Refused(f'Invalid value for "{name}" parameter, expected true or false')
        return text.lower() in ("true", "1")

    def number(self, name: str, default: int, most: int) -> int:
        """A parameter in the address, 0 to `most`. Raises Refused."""
        text = self.query.get(name)
        if text is None or text == "":
            return default
        return whole(name, int(text) if text.isdecimal() and len(text) < 20 else text, most)

    @property
    def index(self) -> str:
        """The index in the path. Raises Refused if the key doesn't open it."""
        name = self.path["index"]
        self.open(name)
        return name

    def open(self, name: str) -> None:
        """Raises Refused if the key doesn't open this index."""
        self.grant.check_index(name)
        self.indices.append(name)

    def allow(self, acl: str) -> None:
        """Raises Refused if the key doesn't give this, here and now."""
        referer = self.asked.headers.get("referer") or self.asked.headers.get("origin", "")
        self.grant.check(acl, self.now_s, self.asked.address, referer)

    def view(self, name: str) -> View:
        """An index to read. Raises Refused if there is none, or not for this key."""
        self.open(name)
        view = self.application.view(name)
        if view is None:
            raise Refused(f"Index {name} does not exist", 404)
        return view

    def settings(self, name: str) -> Settings:
        """An index's settings, as far as this key may see what they hide."""
        return self.tenant.settings(name, all_seen=self.grant.holds("seeUnretrievableAttributes"))

    async def write(self, make: Callable[[str], Operation], *, once: bool = True) -> int:
        """Write what `make` returns, called with the operation's id; the task's id.

        With `once`, a client's further tries are the same write. Raises Refused.
        """
        known = (
            self.tenant.operation_id(self.asked, self.grant, self.target, self.body)
            if once
            else uuid4().hex
        )

        def accept() -> Future[int]:
            operation = make(known)
            for name in indices(operation):
                self.open(name)
            wait_s = self.tenant.writes.take(perf_counter(), _size(operation))
            if wait_s:
                raise Refused(
                    "Too many writes: this application's rate is used up", 429, int(wait_s) + 1
                )
            return self.application.accept(operation, known)

        turn = self.turns.short if len(self.body) < _LONG_BYTES else self.turns.long
        return await asyncio.wrap_future(await turn(self.tenant.line, accept))


def _size(operation: Operation) -> int:
    """How many writes it is."""
    return max(1, len(operation.requests)) if isinstance(operation, Batch) else 1


def whole(name: str, value: object, most: int) -> int:
    """A parameter that is a whole number, 0 to `most`. Raises Refused."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise Refused(
            f'Invalid value for "{name}" parameter, expected integer between 0 and {most}'
        )
    return value
