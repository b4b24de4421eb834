"""Time that stands still while a loop is kept from running, and passes while it waits."""

from __future__ import annotations

import asyncio
import time

from tests.own_time import own_time

TIMED = False
_HELD_S = 0.3


def test_what_others_take_of_a_loop_is_none_of_its_time():
    async def story() -> None:
        with own_time(asyncio.get_running_loop()) as own:
            began_ns, seen_ns = time.monotonic_ns(), own.now_ns()
            time.sleep(_HELD_S)
            held_ns = own.now_ns() - seen_ns
            await asyncio.sleep(0)
            assert own.now_ns() - seen_ns >= held_ns, "it never goes back"
            lost_ns = time.monotonic_ns() - began_ns - (own.now_ns() - seen_ns)
            assert lost_ns > 0.9 * _HELD_S * 1e9

    asyncio.run(story())


def test_its_waiting_is():
    async def story() -> None:
        loop = asyncio.get_running_loop()
        with own_time(loop) as own:
            seen_ns, seen_s = own.now_ns(), loop.time()
            await asyncio.sleep(0.05)
            assert own.now_ns() - seen_ns >= 50_000_000
            assert loop.time() - seen_s >= 0.05

    asyncio.run(story())


def test_a_deadline_is_met_that_the_machine_would_have_missed():
    async def story() -> None:
        loop = asyncio.get_running_loop()
        with own_time(loop):
            async with asyncio.timeout(0.2):
                time.sleep(_HELD_S)
                await asyncio.sleep(0.01)

    asyncio.run(story())
