"""Active checks as they run: when each server is asked, in a loop whose time a test skips."""

import asyncio
import itertools
from collections import defaultdict
from random import Random

import pytest

from storagebox.balance import Endpoint
from storagebox.balance.health.checking import AT_ONCE, Checking, Checks
from storagebox.balance.health.checks import Finding, Result, Rhythm, Verdict
from tests.balance.seen import endpoints
from tests.balance.skipped_time import now, run

RHYTHM = Rhythm(interval_s=10.0, fast_interval_s=2.0, jitter=0.1, fall=2, rise=2)


class Asked:
    """A checker that notes when it asked whom; who is in `dead` refuses."""

    def __init__(self) -> None:
        self.at_s: defaultdict[str, list[float]] = defaultdict(list)
        self.dead: set[str] = set()

    async def __call__(self, endpoint: Endpoint) -> Result:
        self.at_s[endpoint.address].append(now())
        if endpoint.host in self.dead:
            raise ConnectionRefusedError("refused")
        return Result(True)

    def waits(self, address: str) -> list[float]:
        at_s = self.at_s[address]
        return [later - earlier for earlier, later in itertools.pairwise(at_s)]


def ignore(id_: str, finding: Finding) -> None: ...


def checked(servers: int, for_s: float, rhythm: Rhythm = RHYTHM, seed: int = 1) -> Asked:
    """Servers that are well, asked for so long."""
    asked = Asked()

    async def main() -> None:
        checking = Checking(Checks(asked, rhythm), ignore, Random(seed))
        checking.update(endpoints(servers))
        await asyncio.sleep(for_s)
        await checking.close()

    run(main())
    return asked


def test_servers_that_are_found_together_are_first_asked_scattered_over_a_fast_interval():
    first = sorted(times[0] for times in checked(50, 2.0).at_s.values())
    assert len(first) == 50
    assert first[0] < 0.25
    assert first[-1] > 1.75
    assert max(b - a for a, b in itertools.pairwise(first)) < 0.25


def test_clients_that_hear_of_a_server_together_do_not_ask_it_together():
    first = {checked(1, 2.0, seed=seed).at_s["10.0.0.1:80"][0] for seed in range(20)}
    assert len(first) == 20


def test_later_checks_scatter_around_their_interval_each_anew():
    waits = checked(1, 1000.0).waits("10.0.0.1:80")
    assert len(waits) >= 90
    assert 9.0 <= min(waits) < 9.2
    assert 10.8 < max(waits) <= 11.0
    assert len(set(waits)) == len(waits)


def test_without_jitter_they_beat():
    rhythm = Rhythm(interval_s=10.0, fast_interval_s=2.0, jitter=0.0)
    assert checked(1, 100.0, rhythm).waits("10.0.0.1:80") == pytest.approx([10.0] * 9)


def test_a_doubt_is_settled_at_the_fast_interval_and_told_once():
    asked = Asked()
    told: list[tuple[str, Verdict]] = []

    async def main() -> None:
        checks = Checks(asked, Rhythm(10.0, 2.0, jitter=0.0, fall=3, rise=2))
        checking = Checking(checks, lambda id_, it: told.append((id_, it.verdict)), Random(1))
        checking.update(endpoints(1))
        await asyncio.sleep(15.0)
        asked.dead = {"10.0.0.1"}
        await asyncio.sleep(25.0)
        asked.dead = set()
        await asyncio.sleep(30.0)
        await checking.close()

    run(main())
    assert [verdict.value for _, verdict in told] == ["well", "failing", "well"]
    # well at 0+ and 10+; dead from 15: asked at 20+, 22+, 24+, then each 10 s; well from 40:
    # asked at 44+ and 46+, and settled
    waits = asked.waits("10.0.0.1:80")
    assert waits == pytest.approx([10, 10, 2, 2, 10, 10, 2, 10, 10])


def test_a_server_that_moved_is_checked_as_a_new_one_and_one_that_left_no_more():
    asked = Asked()

    async def main() -> None:
        checking = Checking(Checks(asked, RHYTHM), ignore, Random(1))
        here, there = (Endpoint(f"10.0.0.{n}", 80, id="a") for n in (1, 2))
        checking.update([here, Endpoint("10.0.0.3", 80)])
        await asyncio.sleep(5.0)
        checking.update([there])
        await asyncio.sleep(50.0)
        checking.update([there.weighing(3)])
        await asyncio.sleep(50.0)
        await checking.close()

    run(main())
    assert [len(asked.at_s[f"10.0.0.{n}:80"]) for n in (1, 3)] == [1, 1]
    assert 5.0 <= asked.at_s["10.0.0.2:80"][0] <= 7.0
    assert min(asked.waits("10.0.0.2:80")) >= 9.0, "another weight begins nothing anew"


def test_of_thousands_only_some_are_asked_at_once():
    under_way = most = 0

    async def slow(endpoint: Endpoint) -> Result:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.5)
        under_way -= 1
        return Result(True)

    async def main() -> None:
        checking = Checking(Checks(slow, RHYTHM), ignore, Random(1))
        checking.update(endpoints(250))
        await asyncio.sleep(5.0)
        await checking.close()

    run(main())
    assert most == AT_ONCE
