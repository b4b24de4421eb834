"""A box's registry is a process of its own that is told of everybody whom the box hears."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from phantom.wire import mux
from storagebox.journal import Journal
from storagebox.registrar.consul.beside import beside
from tests.registrar.test_registrar import registrar

WAIT_S = 30.0


class Waited(Journal):
    """A journal that can be waited for."""

    def __init__(self) -> None:
        super().__init__(None)
        self._told = asyncio.Event()

    def emit(self, event: str, **fields: Any) -> None:
        super().emit(event, **fields)
        self._told.set()

    async def event(self, name: str, number: int = 1) -> dict[str, Any]:
        async with asyncio.timeout(WAIT_S):
            while True:
                found = [each for each in self.latest if each["event"] == name]
                if len(found) >= number:
                    return found[number - 1]
                self._told.clear()
                await self._told.wait()


async def watch(client: httpx.AsyncClient, service: str, wanted: set[tuple[str, str]]) -> None:
    """Wait, by blocking queries, until the service has these nodes and states."""
    index = 0
    async with asyncio.timeout(WAIT_S):
        while True:
            path = f"/v1/health/service/{service}?index={index}&wait=10s"
            answer = await client.get(path, timeout=WAIT_S)
            seen = {(e["Node"]["Node"], e["Checks"][0]["Status"]) for e in answer.json()}
            if seen == wanted:
                return
            index = int(answer.headers["X-Consul-Index"])


def test_devices_come_fall_silent_and_leave_and_a_new_process_is_told_of_all():
    async def test() -> None:
        journal = Waited()
        async with (
            registrar("box", "127.93.0.2", role=mux.ROLE_BOX, services={"clock": 4771}) as box,
            beside(box, journal, http="127.0.0.1:0", restart_s=0.01),
        ):
            async with registrar("kitchen", "127.93.0.11", port=4770):
                ready = await journal.event("consul.ready")
                async with httpx.AsyncClient(base_url=f"http://{ready['http']}") as client:
                    await watch(client, "phantom-box", {("box", "passing")})
                    await watch(client, "phantom-device", {("kitchen", "passing")})
                    await watch(client, "phantom-clock", {("box", "passing")})
                    os.kill(_process(), signal.SIGKILL)
                again = await journal.event("consul.ready", 2)
                client = httpx.AsyncClient(base_url=f"http://{again['http']}")
                await watch(client, "phantom-device", {("kitchen", "passing")})
            await watch(client, "phantom-device", set())
            await client.aclose()
        assert [e["event"] for e in journal.latest if e["event"].startswith("consul.")] == [
            "consul.ready",
            "consul.ended",
            "consul.ready",
        ]

    asyncio.run(test())


def _process() -> int:
    """The registry's own among our children."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended
            ours = f"PPid:\t{os.getpid()}\n" in (folder / "status").read_text()
            if ours and b"storagebox.registrar.consul" in (folder / "cmdline").read_bytes():
                return int(folder.name)
    raise AssertionError("it does not run")


def test_an_address_that_cannot_be_had_is_said_and_the_box_goes_on():
    async def test() -> None:
        journal = Waited()
        async with (
            registrar("box", "127.94.0.2", role=mux.ROLE_BOX) as box,
            beside(box, journal, dns="192.0.2.1:8600", restart_s=0.01),
        ):
            off = await journal.event("consul.off")
            assert "192.0.2.1:8600" in off["reason"]

    asyncio.run(test())
