"""A balancer kept up to date by tasks, and by a thread."""

import asyncio
import threading
import time
from collections.abc import Sequence

import pytest

from storagebox.balance import Balancer, Endpoint, NoEndpoint
from storagebox.balance.background import Background
from storagebox.balance.health.checking import Checks
from storagebox.balance.health.checks import Result, Rhythm
from storagebox.balance.picker.round_robin import RoundRobin
from storagebox.balance.resolver import Publish
from storagebox.balance.resolver.static import Static
from storagebox.balance.running import NotReady, running

TWO = [Endpoint("10.0.0.1", 80), Endpoint("10.0.0.2", 80)]
QUICK = Rhythm(interval_s=0.001, fast_interval_s=0.001, fall=1, rise=1)


class Told:
    """A resolver that a test tells what to publish."""

    def __init__(self) -> None:
        self.memberships: asyncio.Queue[Sequence[Endpoint]] = asyncio.Queue()
        self.cancelled = False

    async def watch(self, publish: Publish) -> None:
        try:
            while True:
                publish(await self.memberships.get())
        except asyncio.CancelledError:
            self.cancelled = True
            raise


class Broken:
    async def watch(self, publish: Publish) -> None:
        raise ValueError("no such scheme")


class Silent:
    async def watch(self, publish: Publish) -> None:
        await asyncio.Event().wait()


def chosen(balancer: Balancer) -> set[str]:
    return {s.endpoint.host for s in balancer.standings(time.monotonic()) if s.eligible}


def test_it_is_ready_once_the_first_membership_is_there():
    async def main() -> None:
        balancer, told = Balancer(RoundRobin()), Told()
        async with running(balancer, told) as run:
            with pytest.raises(NotReady, match="nobody said within 0 s who is there"):
                await run.ready(0)
            told.memberships.put_nowait(TWO)
            await run.ready()
            assert chosen(balancer) == {"10.0.0.1", "10.0.0.2"}
            await run.ready(0)
        assert told.cancelled

    asyncio.run(main())


def test_an_empty_membership_is_one_too():
    async def main() -> None:
        balancer = Balancer(RoundRobin())
        async with running(balancer, Static([])) as run:
            await run.ready()
            with pytest.raises(NoEndpoint):
                balancer.pick(time.monotonic())

    asyncio.run(main())


def test_a_resolver_that_no_waiting_mends_is_told_to_who_waits():
    async def main() -> None:
        async with running(Balancer(RoundRobin()), Broken()) as run:
            with pytest.raises(ValueError, match="no such scheme"):
                await run.ready(5)

    asyncio.run(main())


def test_checks_follow_the_membership_and_tell_the_balancer():
    async def main() -> None:
        balancer, told = Balancer(RoundRobin()), Told()
        asked: dict[str, asyncio.Event] = {}
        dead = {"10.0.0.1"}

        async def check(endpoint: Endpoint) -> Result:
            asked.setdefault(endpoint.host, asyncio.Event()).set()
            if endpoint.host in dead:
                raise ConnectionRefusedError("refused")
            return Result(True)

        async with running(balancer, told, checks=Checks(check, QUICK)) as run:
            told.memberships.put_nowait(TWO)
            await run.ready()
            while chosen(balancer) != {"10.0.0.2"}:
                await asyncio.sleep(0)
            dead.clear()
            while chosen(balancer) != {"10.0.0.1", "10.0.0.2"}:
                await asyncio.sleep(0)
            told.memberships.put_nowait([Endpoint("10.0.0.3", 80)])
            while "10.0.0.3" not in asked:
                await asyncio.sleep(0)
            asked["10.0.0.1"].clear()
            for _ in range(3):
                asked["10.0.0.3"].clear()
                await asked["10.0.0.3"].wait()
            assert not asked["10.0.0.1"].is_set(), "who has left isn't checked"
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


def test_a_checker_that_hangs_or_breaks_is_a_failure_and_the_next_goes_on():
    async def main() -> None:
        balancer = Balancer(RoundRobin())

        async def check(endpoint: Endpoint) -> Result:
            if endpoint.host == "10.0.0.1":
                await asyncio.Event().wait()
            raise RuntimeError("a bug of the checker")

        rhythm = Rhythm(0.001, 0.001, timeout_s=0.001, fall=1)
        async with running(balancer, Static(TWO), checks=Checks(check, rhythm)) as run:
            await run.ready()
            while any("checks" not in s.state for s in balancer.standings(0.0)):
                await asyncio.sleep(0)
            states = [s.state for s in balancer.standings(0.0)]
            assert states[0] == "checks fail: no answer within 0.001 s"
            assert states[1] == "checks fail: the check raised RuntimeError"
            assert len(chosen(balancer)) == 2, "and who finds everybody dead isn't believed"

    asyncio.run(main())


def test_a_thread_keeps_it_for_who_has_no_loop():
    balancer = Balancer(RoundRobin())
    with Background(balancer, Static(TWO)) as background:
        background.ready(30)
        assert chosen(balancer) == {"10.0.0.1", "10.0.0.2"}
    background.close()
    assert "phantom-balance" not in {thread.name for thread in threading.enumerate()}


def test_a_thread_tells_too_what_is_wrong():
    background = Background(Balancer(RoundRobin()), Broken())
    with pytest.raises(ValueError, match="no such scheme"):
        background.ready(30)
    background.close()
    background = Background(Balancer(RoundRobin()), Silent())
    with pytest.raises(NotReady, match=r"within 0.01 s"):
        background.ready(0.01)
    background.close()
    with pytest.raises(NotReady, match="closed"):
        background.ready(30)
