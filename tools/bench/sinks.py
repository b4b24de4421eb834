"""Many stand-in devices in one process, for the streamer's bench.

    python -m tools.bench.sinks facts.json      devices of a facts file, until stdin ends

answers each line on stdin with a line of JSON: what has arrived since the line before.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import resource
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from phantom.wire import CLOCK_PORT, clock
from storagebox.streamer.sweep import Sweep
from tools.bench.sink import Sink, house_us

# A board reports twice a second.
REPORT_S = 0.5
# Eight exchanges a second, as the firmware.
CLOCK_S = 0.125
_SWEEP_S = 0.010


@dataclass
class ClockAsker:
    """Asks a house clock for many devices by one socket."""

    address: str
    devices: int
    holds_us: list[int] = field(default_factory=list[int])  # how long the box took to answer
    asked: int = 0

    async def run(self, port: int) -> None:
        """Ask at the pace of all devices until cancelled."""
        loop = asyncio.get_running_loop()
        asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        asker.setblocking(False)
        asker.connect((self.address, port))
        loop.add_reader(asker, self._answered, asker)
        rng = random.Random(1)
        request = bytearray(clock.REQUEST_BYTES)
        try:
            while True:
                clock.pack_request_into(request, self.asked & 0xFF, 7, house_us() & 0xFFFFFFFF)
                with suppress(ConnectionRefusedError):
                    asker.send(request)
                self.asked += 1
                await asyncio.sleep(rng.uniform(0, 2 * CLOCK_S / self.devices))
        finally:
            loop.remove_reader(asker)
            asker.close()

    def _answered(self, asker: socket.socket) -> None:
        try:
            data = asker.recv(64)
        except ConnectionRefusedError:
            return  # the box has gone
        reply = clock.parse_reply(data, len(data))
        if reply:
            self.holds_us.append(reply[5])


class Sinks:
    """Many sinks in one event loop, moved along by one timer."""

    def __init__(self, devices: Sequence[dict[str, Any]], box_address: str) -> None:
        """`devices` are objects of id, address, port and DAC channels."""
        self._sweep = Sweep(asyncio.get_running_loop(), _SWEEP_S)
        self.sinks = [
            Sink(
                device["id"],
                self._sweep,
                address=device["address"],
                port=device["port"],
                dac_channels=device["channels"],
            )
            for device in devices
        ]
        self.asker = ClockAsker(box_address, len(devices))

    async def run(self) -> None:
        """Play and report until cancelled."""
        asking: asyncio.Task[None] | None = None
        turn = 0
        turns = round(REPORT_S / _SWEEP_S)
        while True:
            now_us = house_us()
            for index, sink in enumerate(self.sinks):
                # A few devices a turn, as boards grant and report when they like.
                if (turn + index) % 2 == 0:
                    sink.play(now_us)
                if (turn + index) % turns == 0:
                    sink.report()
            if asking is None and self.sinks[0].box is not None:
                asking = asyncio.ensure_future(self.asker.run(CLOCK_PORT))
            turn += 1
            await asyncio.sleep(_SWEEP_S)

    def take(self) -> dict[str, Any]:
        """What has arrived since the last call."""
        slack: list[int] = []
        for sink in self.sinks:
            slack += sink.arrivals.slack_us
            sink.arrivals.slack_us.clear()
        holds = self.asker.holds_us
        self.asker.holds_us = []
        asked, self.asker.asked = self.asker.asked, 0
        slack.sort()
        holds.sort()
        missing = sum(sink.arrivals.missing for sink in self.sinks)
        return {
            "chunks": len(slack),
            "missing": missing,
            "silent": sum(1 for sink in self.sinks if sink.arrivals.chunks == 0),
            "slack_us": _quantiles(slack),
            "clock_hold_us": _quantiles(holds),
            "clock_asked": asked,
            "clock_answers": len(holds),
            "cpu_s": time.process_time(),
            "at_s": time.monotonic(),
        }


def _quantiles(values: Sequence[int]) -> dict[str, int | None]:
    """Of sorted values."""
    if not values:
        return {"min": None, "p1": None, "p50": None, "p99": None, "max": None}
    last = len(values) - 1
    return {
        "min": values[0],
        "p1": values[last // 100],
        "p50": values[last // 2],
        "p99": values[last * 99 // 100],
        "max": values[last],
    }


async def _serve(facts: dict[str, Any]) -> None:
    sinks = Sinks(facts["devices"], facts["box_address"])
    running = asyncio.ensure_future(sinks.run())
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    print(json.dumps({"ready": len(sinks.sinks)}), flush=True)
    while await lines.readline():
        print(json.dumps(sinks.take()), flush=True)
    running.cancel()


def main() -> None:
    """The devices of a facts file: {"devices": […], "box_address", "core"}."""
    facts: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    if facts.get("core") is not None:
        os.sched_setaffinity(0, {facts["core"]})
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(_serve(facts))


if __name__ == "__main__":
    main()
