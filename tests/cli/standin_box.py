"""A stand-in for the box: it answers as the real one does, and keeps what it is asked."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from phantom.rpc import INVALID_PARAMS, REFUSED, RpcError
from storagebox.control import ControlServer, Subscriber

DEVICE = {
    "name": "",
    "side": "both",
    "connected": True,
    "volume": 40.0,
    "mute": False,
    "state": "playing",
    "buffer_ms": 1280,
    "error_us": 4,
    "underruns": 0,
}
ROOM = {"volume": 40.0, "mute": False, "group": "g1", "health": "good", "reason": ""}
TRACK = {"title": "Grüße aus dem Odenwald", "artist": "The Slow Walkers", "path": "/m/1.flac"}


def house() -> dict[str, Any]:
    """Three rooms: two share a song, a pair is silent with one half gone."""
    return {
        "installation": {"id": "0011223344556677", "name": "Home"},
        "box": "box-1a2b3c4d",
        "house_us": 12_000_000,
        "generation": 7,
        "clock": {},
        "health": {"installation": "poor"},
        "rooms": [
            {
                **ROOM,
                "id": "kitchen",
                "name": "Kitchen",
                "kind": "solo",
                "devices": [{**DEVICE, "id": "kitchen", "address": "127.77.0.11"}],
            },
            {
                **ROOM,
                "id": "bedroom",
                "name": "Bedroom",
                "kind": "solo",
                "volume": 25.0,
                "mute": True,
                "health": "fair",
                "reason": "Wi-Fi loses 12 % (-82 dBm): the lead is 2000 ms",
                "devices": [
                    {
                        **DEVICE,
                        "id": "bedroom",
                        "address": "127.77.0.12",
                        "volume": 25.0,
                        "mute": True,
                        "error_us": -11,
                        "underruns": 3,
                    }
                ],
            },
            {
                **ROOM,
                "id": "living-l",
                "name": "Living room",
                "kind": "pair",
                "group": "g2",
                "health": "poor",
                "reason": "living-r has gone: living-l plays both channels",
                "devices": [
                    {
                        **DEVICE,
                        "id": "living-l",
                        "address": "127.77.0.13",
                        "side": "left",
                        "state": "idle",
                    },
                    {
                        "id": "living-r",
                        "name": "",
                        "address": "127.77.0.14",
                        "side": "right",
                        "connected": False,
                        "volume": None,
                        "mute": None,
                    },
                ],
            },
        ],
        "groups": [
            {
                "id": "g1",
                "rooms": ["kitchen", "bedroom"],
                "session": "s1",
                "volume": 32.5,
                "mute": False,
                "health": "fair",
                "lead_ms": 2000,
                "codec": "ima-adpcm",
            },
            {
                "id": "g2",
                "rooms": ["living-l"],
                "session": None,
                "volume": 40.0,
                "mute": False,
                "health": "poor",
                "lead_ms": None,
                "codec": None,
            },
        ],
        "sessions": [
            {
                "id": "s1",
                "state": "playing",
                "reason": "",
                "stream": 41,
                "start_us": 1_000_000,
                "lead_ms": 2000,
                "last_chunk": None,
                "track": dict(TRACK),
                "position_s": 67.4,
            }
        ],
        "unadopted": [{"id": "esp32-9a8b7c", "address": "127.77.0.20", "board": "esp32"}],
        "boxes": [{"id": "box-1a2b3c4d", "address": "127.77.0.2"}],
        "events": [],
    }


class StandinBox:
    """What it was asked is in `calls`; set `status`, or `refusal` for every order."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.status = house()
        self.refusal: RpcError | None = None
        self.answer: Any = True
        self.changes: list[dict[str, Any]] = []
        self.gone = asyncio.Event()  # a subscriber has hung up

    def methods(self) -> dict[str, Any]:
        """The control methods."""
        orders = (
            "play pause resume stop group ungroup volume mute pair unpair name trim adopt forget "
            "identify call"
        )
        return {
            "status": lambda: self.status,
            "rooms": lambda: self.status["rooms"],
            **{name: self._order(name) for name in orders.split()},
        }

    def _order(self, name: str) -> Any:
        def order(**params: Any) -> Any:
            self.calls.append((name, params))
            if self.refusal:
                raise self.refusal
            return self.answer

        return order

    def watch(self, subscriber: Subscriber, **params: Any) -> bool:
        """The subscription: tells all of `changes` at once."""
        self.calls.append(("watch", params))
        for change in self.changes:
            subscriber.notify("changed", change)
        subscriber.on_close(self.gone.set)
        return True


def unknown_room(name: str) -> RpcError:
    """As the box refuses what it can't find."""
    return RpcError(INVALID_PARAMS, f"no room {name!r}; there are Kitchen, Bedroom, Living room")


def busy_board() -> RpcError:
    """As the box refuses what can't be now."""
    return RpcError(REFUSED, "kitchen did not answer: is it on?")


@contextmanager
def standin_box(path: Path, **more: Callable[..., Any]) -> Iterator[StandinBox]:
    """Serves at `path`, in a thread of its own; `more` are methods that it has besides."""
    box = StandinBox()
    loop = asyncio.new_event_loop()
    faults: list[str] = []
    server = ControlServer(
        path, box.methods() | more, lambda where, _: faults.append(where), {"watch": box.watch}
    )
    loop.run_until_complete(server.start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield box
    finally:
        asyncio.run_coroutine_threadsafe(_end(server), loop).result(10.0)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
    assert faults == []


async def _end(server: ControlServer) -> None:
    # As asyncio.run does: what is under way yet, such as an update's job, ends with the loop.
    await server.close()
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
