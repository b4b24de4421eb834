"""Buttons and lights at work: what a press asks of the box, and what lights show of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from phantom.rpc import INVALID_PARAMS, REFUSED, RpcError
from storagebox.pins import trial, wiring
from storagebox.pins.gpio import GpioError
from storagebox.pins.house import House
from storagebox.pins.orders import MAX_RISE, Orders
from storagebox.pins.panel import Panel, WiredButton, WiredLight
from storagebox.pins.wiring import ButtonPin, LightPin, Wiring
from tests.cli.standin_box import StandinBox, standin_box
from tests.standins import until


class FakePin:
    """An input or an output: `high` is its level."""

    def __init__(self, high: bool) -> None:
        self.high = high
        self.reads = 0
        self.fault: GpioError | None = None

    def read(self) -> bool:
        if self.fault:
            raise self.fault
        self.reads += 1
        return self.high

    def write(self, high: bool) -> None:
        self.high = high


class FakeGpio:
    """Inputs stay where their pull has them until the test says otherwise."""

    def __init__(self) -> None:
        self.pins: dict[str, FakePin] = {}

    def input(self, pin: str, pull: str) -> FakePin:
        return self.pins.setdefault(pin, FakePin(pull == "up"))

    def output(self, pin: str, high: bool) -> FakePin:
        return self.pins.setdefault(pin, FakePin(high))

    def close(self) -> None:
        self.pins.clear()


WIRED = Wiring(
    buttons=tuple(
        ButtonPin(name, f"D{number}", active_high=False, pull="up")
        for number, name in enumerate(wiring.BUTTONS)
    ),
    lights=(
        LightPin("music", "D10", active_high=True),
        LightPin("trouble", "D11", active_high=False),
        LightPin("pair", "D12", active_high=True),
    ),
    debounce_ms=0,
)


class Hand:
    """A panel that runs, its pins, and what it has told."""

    def __init__(self, gpio: FakeGpio, wired: Wiring, told: list[dict[str, Any]]) -> None:
        self._gpio = gpio
        self._pins = {each.name: each for each in wired.buttons}
        self.told = told

    async def down(self, name: str) -> None:
        await self._set(name, True)

    async def up(self, name: str) -> None:
        await self._set(name, False)

    async def click(self, name: str) -> None:
        await self.down(name)
        await self.up(name)

    async def _set(self, name: str, pressed: bool) -> None:
        pin = self._gpio.pins[self._pins[name].pin]
        await self.seen(pin)
        pin.high = pressed is self._pins[name].active_high
        await self.seen(pin)

    async def seen(self, pin: FakePin) -> None:
        reads = pin.reads
        await until(lambda: pin.reads > reads, "the panel reads its button")

    def lit(self, pin: str) -> bool:
        return self._gpio.pins[pin].high


@asynccontextmanager
async def working(path: Path, wired: Wiring = WIRED) -> AsyncIterator[Hand]:
    gpio = FakeGpio()
    told: list[dict[str, Any]] = []
    panel = Panel(wired, gpio, path, lambda event, **fields: told.append({"is": event, **fields}))
    running = asyncio.ensure_future(panel.run())
    try:
        yield Hand(gpio, wired, told)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert [each for each in told if each["is"] == "pins.fault"] == []


@pytest.fixture(name="box")
def _box(tmp_path: Path) -> Iterator[StandinBox]:
    with standin_box(tmp_path / "box.sock") as box:
        yield box


def orders(box: StandinBox) -> list[tuple[str, dict[str, Any]]]:
    return [call for call in box.calls if call[0] != "watch"]


async def press(path: Path, box: StandinBox, name: str, count: int, wired: Wiring = WIRED) -> Any:
    """Click once the box is followed, and wait for so many orders."""
    async with working(path / "box.sock", wired) as hand:
        await until(lambda: box.calls, "it watches the house")
        await hand.click(name)
        await until(lambda: len(orders(box)) >= count, f"{count} orders")
        await until(lambda: hand.told, "what became of it")
        return hand.told


def test_play_pauses_what_plays(box: StandinBox, tmp_path: Path):
    told = asyncio.run(press(tmp_path, box, "play", 1))
    assert orders(box) == [("pause", {})]
    assert told == [{"is": "pins.pressed", "button": "play", "order": "pause"}]


def test_play_goes_on_or_begins_where_nothing_plays(box: StandinBox, tmp_path: Path):
    box.answer = False
    wired = replace(WIRED, rooms=("Kitchen",))
    told = asyncio.run(press(tmp_path, box, "play", 3, wired))
    where = {"rooms": ["Kitchen"]}
    assert orders(box) == [("pause", where), ("resume", where), ("play", where)]
    assert told == [{"is": "pins.pressed", "button": "play", "order": "play"}]


@pytest.mark.parametrize(("name", "delta"), [("volume-up", 3), ("volume-down", -3)])
def test_volume_goes_by_steps(name: str, delta: int, box: StandinBox, tmp_path: Path):
    asyncio.run(press(tmp_path, box, name, 1))
    assert orders(box) == [("volume", {"delta": delta})]


def test_volume_may_be_that_of_all_that_plays_together(box: StandinBox, tmp_path: Path):
    wired = replace(WIRED, rooms=("Kitchen",), whole_group=True)

    async def story() -> None:
        async with working(tmp_path / "box.sock", wired) as hand:
            await until(lambda: hand.lit("D10"), "the house is known")
            await hand.click("volume-up")
            await until(lambda: orders(box), "an order")

    asyncio.run(story())
    assert orders(box) == [("volume", {"rooms": ["g1"], "delta": 3})]


def test_louder_lets_muted_rooms_be_heard_again(box: StandinBox, tmp_path: Path):
    wired = replace(WIRED, rooms=("Bedroom",))

    async def story() -> None:
        async with working(tmp_path / "box.sock", wired) as hand:
            await until(lambda: hand.lit("D10"), "the house is known")
            await hand.click("volume-up")
            await until(lambda: len(orders(box)) == 2, "two orders")

    asyncio.run(story())
    assert orders(box) == [
        ("mute", {"rooms": ["Bedroom"], "on": False}),
        ("volume", {"rooms": ["Bedroom"], "delta": 3}),
    ]


def test_pair_chimes(box: StandinBox, tmp_path: Path):
    asyncio.run(press(tmp_path, box, "pair", 1))
    assert orders(box) == [("identify", {})]


@pytest.mark.parametrize(
    ("name", "order", "pair"),
    [
        ("play", ("stop", {}), None),
        ("pair", ("pair", {"left": "bedroom", "right": "kitchen"}), ("Bedroom", "KITCHEN")),
        ("pair", ("unpair", {"room": "living-l"}), ("living-l", "living-r")),
    ],
)
def test_long_presses(
    name: str, order: tuple[str, Any], pair: Any, box: StandinBox, tmp_path: Path
):
    async def story() -> None:
        wired = replace(WIRED, hold_ms=30, pair=pair)
        async with working(tmp_path / "box.sock", wired) as hand:
            await until(lambda: box.calls, "it watches the house")
            await hand.down(name)
            await until(lambda: orders(box), "an order")
            await hand.up(name)

    asyncio.run(story())
    assert orders(box) == [order]


def test_what_the_box_refuses_is_told_and_shown(box: StandinBox, tmp_path: Path):
    box.refusal = RpcError(INVALID_PARAMS, "nothing to play: name files or folders")
    shown: list[bool] = []

    async def story() -> list[dict[str, Any]]:
        async with working(tmp_path / "box.sock") as hand:
            await until(lambda: hand.lit("D10"), "the house is known")
            await hand.click("play")
            await until(lambda: hand.told, "the refusal")
            for _ in range(2):  # it flickers: dark, and lit again
                await until(lambda: hand.lit("D11"), "dark")
                await until(lambda: not hand.lit("D11"), "lit")
                shown.append(True)
            return hand.told

    told = asyncio.run(story())
    assert told == [
        {
            "is": "pins.refused",
            "button": "play",
            "reason": "nothing to play: name files or folders",
        }
    ]
    assert shown == [True, True]


def test_presses_while_an_order_is_underway_are_not_more_orders():
    async def story() -> None:
        answer = asyncio.Event()
        asked: list[tuple[str, Any]] = []

        async def call(method: str, /, **params: Any) -> bool:
            asked.append((method, params))
            await answer.wait()
            return True

        made = Orders(WIRED, House(), call)
        first = asyncio.ensure_future(made.louder(3))
        await asyncio.sleep(0)
        others = [asyncio.ensure_future(made.louder(delta)) for delta in (3, 3, -3)]
        await asyncio.sleep(0)
        assert asked == [("volume", {"delta": 3})]
        answer.set()
        await asyncio.gather(first, *others)
        assert asked == [("volume", {"delta": 3}), ("volume", {"delta": 3})]

    asyncio.run(story())


def test_a_button_that_jams_does_not_become_loud():
    gpio = FakeGpio()
    found = WiredButton(WIRED.buttons[1], gpio, WIRED)
    found.sample(0)
    gpio.pins["D1"].high = False
    presses = [g for ms in range(10, 60_000, 10) for g in found.sample(ms)]
    assert len(presses) * WIRED.volume_step == MAX_RISE


def rooms_of(*devices: str) -> list[dict[str, Any]]:
    return [
        {"id": d, "name": f"room {d}", "kind": "solo", "devices": [{"id": d, "side": "both"}]}
        for d in devices
    ]


@pytest.mark.parametrize(
    ("rooms", "pair", "outcome"),
    [
        (rooms_of("b", "a"), None, ("pair", {"left": "a", "right": "b"})),
        (rooms_of("a", "b"), ("b", "room a"), ("pair", {"left": "b", "right": "a"})),
        (
            [
                {
                    "id": "a+b",
                    "name": "Living",
                    "kind": "pair",
                    "devices": [{"id": "b", "side": "right"}, {"id": "a", "side": "left"}],
                }
            ],
            None,
            ("unpair", {"room": "a+b"}),
        ),
        (rooms_of("a", "b", "c"), None, "3 devices: say which two"),
        (rooms_of("a"), None, "1 devices: say which two"),
        ([], ("a", "b"), "none yet"),
        (rooms_of("a", "b"), ("a", "x"), "no device 'x'; there are a, b"),
    ],
)
def test_which_two_become_a_pair(rooms: Any, pair: Any, outcome: Any):
    asked: list[Any] = []

    async def call(method: str, /, **params: Any) -> Any:
        if method == "rooms":
            return rooms
        asked.append((method, params))
        return {}

    made = Orders(replace(WIRED, pair=pair), House(), call)
    if isinstance(outcome, str):
        with pytest.raises(RpcError, match=outcome) as caught:
            asyncio.run(made.pair_or_part())
        assert caught.value.code == REFUSED
        assert asked == []
    else:
        asyncio.run(made.pair_or_part())
        assert asked == [outcome]


# Lights


def test_lights_show_the_house_as_the_box_tells_it(box: StandinBox, tmp_path: Path):
    async def story() -> None:
        async with working(tmp_path / "box.sock") as hand:
            await until(lambda: hand.lit("D10"), "music plays")
            await until(lambda: hand.lit("D12"), "a board waits")
            await until(lambda: not hand.lit("D11"), "half of a pair is gone")

    asyncio.run(story())


def test_without_a_box_trouble_blinks_and_the_panel_waits_for_one(tmp_path: Path):
    async def story() -> None:
        async with working(tmp_path / "box.sock") as hand:
            await until(lambda: not hand.lit("D11"), "trouble is lit")
            await hand.click("play")
            await until(lambda: hand.told, "the refusal")
            assert "no box serves here" in hand.told[0]["reason"]
            served = standin_box(tmp_path / "box.sock")
            await asyncio.to_thread(served.__enter__)
            await until(lambda: hand.lit("D10"), "music plays")
            await asyncio.to_thread(served.__exit__, None, None, None)
            await until(lambda: not hand.lit("D10"), "the box is away again")

    asyncio.run(story())


def test_lights_are_dark_before_and_after(tmp_path: Path):
    gpio = FakeGpio()
    found = [WiredLight(pin, gpio) for pin in WIRED.lights]
    dark = {"D10": False, "D11": True, "D12": False}
    assert {name: pin.high for name, pin in gpio.pins.items()} == dark
    for light in found:
        light.show(True)
    lit = {name: not high for name, high in dark.items()}
    assert {name: pin.high for name, pin in gpio.pins.items()} == lit


def test_a_pin_that_fails_ends_the_panel_and_leaves_no_light_on(tmp_path: Path):
    async def story() -> FakeGpio:
        gpio = FakeGpio()
        panel = Panel(WIRED, gpio, tmp_path / "box.sock", lambda *_, **__: None)
        gpio.pins["D0"].fault = GpioError("pin D0: gone")
        with pytest.raises(GpioError, match="pin D0: gone"):
            await panel.run()
        return gpio

    gpio = asyncio.run(story())
    assert [gpio.pins[pin].high for pin in ("D10", "D11", "D12")] == [False, True, False]


def test_a_button_that_is_down_from_the_start_is_told_once(tmp_path: Path):
    async def story() -> list[dict[str, Any]]:
        wired = replace(WIRED, buttons=(ButtonPin("play", "D9", active_high=False, pull="down"),))
        async with working(tmp_path / "box.sock", wired) as hand:
            await until(lambda: hand.told, "it is told")
            return hand.told

    (told,) = asyncio.run(story())
    assert told["is"] == "pins.stuck"
    assert "active" in told["reason"]


# By hand


def test_trying_lights_each_light_and_says_what_is_pressed():
    gpio = FakeGpio()
    said: list[str] = []

    def hear(text: str) -> None:
        said.append(text)
        if text.endswith("is down"):
            gpio.pins["D1"].high = True

    async def story() -> None:
        trying = asyncio.ensure_future(trial.attempt(WIRED, gpio, hear, None, 0.001))
        await until(lambda: len(said) == 3, "three lights")
        await until(lambda: gpio.pins["D1"].reads, "it listens")
        gpio.pins["D1"].high = False
        await until(lambda: any("is up" in text for text in said), "up again")
        trying.cancel()

    asyncio.run(story())
    assert said[:4] == [
        *(f"light {name} is lit" for name in ("music", "trouble", "pair")),
        "button volume-up is down",
    ]
    assert said[4].startswith("button volume-up is up after ")
