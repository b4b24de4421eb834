"""Registrars on real sockets, on loopback: what one program of a house sees of the others."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from phantom.wire import DISCOVERY_PORT, mux
from storagebox.installation import Membership
from storagebox.journal import Journal
from storagebox.registrar import Registrar
from storagebox.registrar.interfaces import Place, places

HOME = (b"homehome", b"h" * 32)
OTHER = (b"otherone", b"o" * 32)
WAIT_S = 10.0


def membership(identity: str, of: tuple[bytes, bytes] = HOME, boot: int = 1) -> Membership:
    return Membership(identity, of[0], of[1], "home", boot)


@asynccontextmanager
async def registrar(
    identity: str, address: str, of: tuple[bytes, bytes] = HOME, boot: int = 1, **options: Any
) -> AsyncIterator[Registrar]:
    options.setdefault("role", mux.ROLE_DEVICE)
    made = Registrar(membership(identity, of, boot), name=identity, address=address, **options)
    await made.start()
    try:
        yield made
    finally:
        await made.close()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0.01)


def ids(registrar: Registrar) -> list[str]:
    return sorted(peer.id for peer in registrar.peers())


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test())


def test_programs_on_one_machine_find_each_other_and_their_services():
    async def test() -> None:
        async with (
            registrar("box", "127.91.0.2", role=mux.ROLE_BOX, services={"clock": 4771}) as box,
            registrar("a", "127.91.0.11", port=4770) as a,
            registrar("b", "127.91.0.12") as b,
        ):
            await until(lambda: ids(box) == ["a", "b"] and ids(a) == ["b", "box"])
            assert [peer.id for peer in a.find("clock")] == ["box"]
            assert box.peer("a") is not None
            peer = box.peer("a")
            assert peer is not None
            assert (peer.addresses, peer.port, peer.name) == (["127.91.0.11"], 4770, "a")
            await until(lambda: all(p.rtt_ms is not None for p in box.peers()))
            b.set_service("clock", 4771)
            await until(lambda: [p.id for p in a.find("clock")] == ["b", "box"])

    run(test)


def test_a_goodbye_is_told_at_once_with_its_reason():
    async def test() -> None:
        changes: list[tuple[str, str, str]] = []
        journal = Journal(None)
        async with registrar("box", "127.92.0.2", role=mux.ROLE_BOX, journal=journal) as box:
            end = box.subscribe(
                lambda kind, peer, reason: changes.append((kind, peer.id if peer else "", reason))
            )
            async with registrar("a", "127.92.0.11"):
                await until(lambda: ids(box) == ["a"])
            # close() took its time to say goodbye thrice; the first was enough.
            assert ids(box) == []
            assert changes == [("added", "a", ""), ("removed", "a", "goodbye")]
            end()
            async with registrar("b", "127.92.0.12"):
                await until(lambda: ids(box) == ["b"])
            assert len(changes) == 2
        events = [(entry["event"], entry["id"]) for entry in journal.latest]
        assert events[:2] == [("peer.added", "a"), ("peer.removed", "a")]

    run(test)


def test_installations_on_one_network_never_mix():
    async def test() -> None:
        async with (
            registrar("box", "127.93.0.2", role=mux.ROLE_BOX) as box,
            registrar("a", "127.93.0.11"),
            registrar("box", "127.93.0.3", OTHER, role=mux.ROLE_BOX) as other,
            registrar("a", "127.93.0.21", OTHER) as a,
            registrar("thief", "127.93.0.31", (HOME[0], b"x" * 32)),
        ):
            await until(lambda: ids(box) == ["a"] and ids(other) == ["a"])
            await until(lambda: box.counters["foreign"] > 3 and box.counters["forged"] > 3)
            peer, foreign = box.peer("a"), other.peer("a")
            assert peer is not None
            assert foreign is not None
            assert peer.addresses == ["127.93.0.11"]
            assert foreign.addresses == ["127.93.0.21"]
            assert ids(a) == ["box"]

    run(test)


def test_two_devices_with_one_id_are_a_conflict_and_nobody_fails():
    async def test() -> None:
        conflicts: list[str] = []
        async with (
            registrar("box", "127.94.0.2", role=mux.ROLE_BOX) as box,
            registrar("a", "127.94.0.11") as a,
        ):
            box.subscribe(lambda kind, _, why: conflicts.append(why) if kind == "conflict" else 0)
            await until(lambda: ids(box) == ["a"])
            async with registrar("a", "127.94.0.12", boot=2) as double:
                await until(lambda: conflicts)
                await until(lambda: double.counters["conflicts"] and a.counters["conflicts"])
                assert ids(box) == ["a"]
            assert conflicts[0] in ("127.94.0.11", "127.94.0.12")

    run(test)


def test_a_device_without_installation_is_kept_apart_until_it_is_adopted():
    async def test() -> None:
        new = membership("new", (b"\0" * 8, b"\0" * 32))
        watchers: list[Callable[[], None]] = []
        new.watch = watchers.append
        async with registrar("box", "127.95.0.2", role=mux.ROLE_BOX) as box:

            def waiting() -> list[str]:  # boards of other tests on this machine left out
                return [peer.id for peer in box.unadopted() if "127.95.0.11" in peer.addresses]

            device = Registrar(new, role=mux.ROLE_DEVICE, name="new", address="127.95.0.11")
            await device.start()
            await until(lambda: waiting() == ["new"])
            assert ids(box) == []
            new.installation, new.key = HOME
            for watcher in watchers:
                watcher()
            await until(lambda: ids(box) == ["new"] and ids(device) == ["box"])
            assert waiting() == []
            await device.close()

    run(test)


def test_garbage_on_the_port_is_counted():
    async def test() -> None:
        async with registrar("box", "127.96.0.2", role=mux.ROLE_BOX) as box:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                stranger.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                stranger.bind(("127.96.0.66", 0))
                for garbage in (b"", b"PB", b"\xff" * 300, b"x" * 9000):
                    stranger.sendto(garbage, ("127.255.255.255", DISCOVERY_PORT))
            await until(lambda: box.counters["malformed"] >= 4)

    run(test)


def test_a_subscriber_that_fails_is_noted_and_the_others_are_told():
    async def test() -> None:
        journal = Journal(None)
        told: list[str] = []

        def fail(kind: str, peer: object, reason: str) -> None:
            raise RuntimeError("no")

        async with registrar("box", "127.97.0.2", role=mux.ROLE_BOX, journal=journal) as box:
            box.subscribe(fail)
            box.subscribe(lambda *change: told.append(change[0]))
            async with registrar("a", "127.97.0.11"):
                await until(lambda: told)
        assert any(entry["event"] == "fault" for entry in journal.latest)

    run(test)


def test_a_link_that_hears_a_peer_keeps_it():
    async def test() -> None:
        async with (
            registrar("box", "127.98.0.2", role=mux.ROLE_BOX) as box,
            registrar("a", "127.98.0.11"),
        ):
            await until(lambda: ids(box) == ["a"])
            before = box.peer("a")
            assert before is not None
            box.note_alive("a")
            box.note_alive("nobody")
            assert ids(box) == ["a"]

    run(test)


@pytest.mark.parametrize(
    ("place", "host", "reached"),
    [
        (Place("10.0.0.2", "10.0.0.255", "eth0", 2, 24), "10.0.0.9", True),
        (Place("10.0.0.2", "10.0.0.255", "eth0", 2, 24), "10.0.1.9", False),
        (Place("10.0.0.2", "10.0.0.255", "eth0", 2, 24), "fe80::1%eth0", False),
        (Place("fe80::2", "ff02::1", "eth0", 2, 64), "fe80::1%eth0", True),
        (Place("fe80::2", "ff02::1", "eth0", 2, 64), "fe80::1%wlan0", False),
        (Place("fe80::2", "ff02::1", "eth0", 2, 64), "10.0.0.9", False),
    ],
)
def test_a_datagram_leaves_by_the_interface_that_reaches_its_receiver(
    place: Place, host: str, reached: bool
):
    assert place.reaches(host) is reached


def test_loopback_is_a_place_only_if_it_is_asked_for():
    assert [place.host for place in places("127.77.0.2")] == ["127.77.0.2"]
    assert all(not place.host.startswith("127.") for place in places())
    assert places("0.0.0.0") == places()
