"""Stations in real namespaces. Each test has a network of its own."""

from __future__ import annotations

import json
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from boards.emulated.network import (
    NetworkUnavailable,
    Profile,
    Spread,
    Station,
    VirtualNetwork,
    house,
    namespace,
    tap,
)
from boards.emulated.network.__main__ import main
from tests.networks import require_network

PORT = 5000
ROOT = Path(__file__).resolve().parents[2]
# So long may anything take on a machine that does much else; what is awaited normally takes ms.
PATIENCE = 20.0
CALM = Profile("calm", True, 750.0, Spread(), Spread(), 150.0, 26.0, 128)


@pytest.fixture(scope="session", autouse=True)
def _namespaces_are_possible():
    require_network()


def listener(station: Station) -> socket.socket:
    sock = station.socket()
    sock.bind(("0.0.0.0", PORT))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    return sock


def arrives(sock: socket.socket, data: bytes, seconds: float) -> bool:
    """Whether this datagram comes within so long; others are thrown away."""
    end = time.monotonic() + seconds
    while select.select((sock,), (), (), max(0.0, end - time.monotonic()))[0]:
        if sock.recv(2048) == data:
            return True
    return False


def reaches(sender: socket.socket, receiver: socket.socket, address: str) -> None:
    """Send until it arrives: the first may wait for ARP. Fails if it never does."""
    end = time.monotonic() + PATIENCE
    number = 0
    while time.monotonic() < end:
        number += 1
        data = f"{address} {number}".encode()
        sender.sendto(data, (address, PORT))
        if arrives(receiver, data, 0.5):
            return
    pytest.fail(f"nothing reaches {address}")


def stays_away(sender: socket.socket, receiver: socket.socket, address: str) -> None:
    """Not one of a dozen datagrams arrives in a hundred times the delay."""
    while select.select((receiver,), (), (), 0.0)[0]:  # its own broadcasts
        receiver.recv(2048)
    for _ in range(12):
        sender.sendto(b"unwanted", (address, PORT))
    assert not select.select((receiver,), (), (), 0.3)[0]


def eventually(happens: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not happens():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_program_in_a_station_sees_its_own_interface_and_address_only():
    program = "import json, os, socket; print(json.dumps([os.getpid(), socket.if_nameindex()]))"
    with VirtualNetwork("wired") as net:
        kitchen = net.station("kitchen", "10.77.0.11")
        process = kitchen.popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
        output, _ = process.communicate(timeout=PATIENCE)
        pid, interfaces = json.loads(output)
        assert pid == process.pid
        assert [name for _, name in interfaces] == ["lo", "eth0"]
        with kitchen.socket() as sock:
            sock.bind((kitchen.address, PORT))


def test_a_program_inherits_no_ignored_signal_and_gives_its_own_exit_status():
    with VirtualNetwork("wired") as net:
        kitchen = net.station("kitchen", "10.77.0.11")
        assert kitchen.popen([sys.executable, "-c", "raise SystemExit(7)"]).wait(PATIENCE) == 7
        status = kitchen.popen(["cat", "/proc/self/status"], stdout=subprocess.PIPE, text=True)
        ignored = next(line for line in status.communicate()[0].splitlines() if "SigIgn" in line)
        # 32 and 33 are the C library's own; whatever make starts (posix_spawn) has them ignored.
        assert int(ignored.split()[1], 16) & ~(0b11 << 31) == 0
        with pytest.raises(FileNotFoundError, match=r"kitchen.*no-such-program"):
            kitchen.popen(["no-such-program"])


def test_datagrams_go_both_ways_and_are_counted():
    with VirtualNetwork("wired", seed=1) as net:
        box, kitchen = net.station("box", "10.77.0.2"), net.station("kitchen", "10.77.0.11")
        with listener(box) as here, listener(kitchen) as there:
            reaches(here, there, kitchen.address)
            reaches(there, here, box.address)
        stats = net.stats()["stations"]["kitchen"]
        assert stats["delivered"] >= 2
        assert stats["down"]["p50_us"] >= 90


def test_tcp_carries_its_bytes_over_bad_wifi_unharmed():
    sent = bytes(range(256)) * 512
    with VirtualNetwork("bad-wifi", seed=1) as net:
        box = net.station("box", "10.77.0.2", profile="wired")
        kitchen = net.station("kitchen", "10.77.0.11")
        server, client = kitchen.socket(socket.SOCK_STREAM), box.socket(socket.SOCK_STREAM)
        with server, client:
            server.bind((kitchen.address, PORT))
            server.listen()
            client.settimeout(PATIENCE)
            server.settimeout(PATIENCE)
            client.connect((kitchen.address, PORT))
            accepted, _ = server.accept()
            received = b""
            with accepted:
                accepted.settimeout(PATIENCE)
                client.setblocking(False)
                unsent = memoryview(sent)
                while len(received) < len(sent):
                    ready, writable, _ = select.select(
                        (accepted,), (client,) if unsent else (), (), PATIENCE
                    )
                    assert ready or writable
                    if writable:
                        unsent = unsent[client.send(unsent[:65536]) :]
                    if ready:
                        received += accepted.recv(65536)
            assert received == sent


def test_broadcast_reaches_every_other_station():
    with VirtualNetwork(CALM, seed=1) as net:
        stations = [net.station(f"s{n}", f"10.77.0.{10 + n}") for n in range(3)]
        first, *others = [listener(station) for station in stations]
        first.sendto(b"anybody?", ("255.255.255.255", PORT))
        first.sendto(b"you there?", ("10.77.0.255", PORT))
        for sock in others:
            assert arrives(sock, b"anybody?", PATIENCE)
            assert arrives(sock, b"you there?", PATIENCE)
        for sock in (first, *others):
            sock.close()


def test_loss_of_1_silences_a_station_until_it_is_lifted():
    with VirtualNetwork("wired") as net:
        box, kitchen = net.station("box", "10.77.0.2"), net.station("kitchen", "10.77.0.11")
        with listener(box) as here, listener(kitchen) as there:
            reaches(here, there, kitchen.address)
            net.loss(kitchen, 1.0)
            stays_away(here, there, kitchen.address)
            stays_away(there, here, box.address)
            net.loss(kitchen, None)
            reaches(here, there, kitchen.address)


def test_a_partition_divides_the_house_until_it_heals():
    with VirtualNetwork("wired") as net:
        one, two, three = (net.station(f"s{n}", f"10.77.0.{10 + n}") for n in range(3))
        with listener(one) as a, listener(two) as b, listener(three) as c:
            reaches(a, b, two.address)
            reaches(b, c, three.address)
            net.cut(["s0", two], [three])
            reaches(a, b, two.address)
            stays_away(b, c, three.address)
            net.heal()
            reaches(b, c, three.address)


def test_a_changed_address_answers_and_the_old_one_does_not():
    with VirtualNetwork("wired") as net:
        box, kitchen = net.station("box", "10.77.0.2"), net.station("kitchen", "10.77.0.11")
        with listener(box) as here, listener(kitchen) as there:
            reaches(here, there, "10.77.0.11")
            kitchen.change_address("10.77.0.50")
            assert kitchen.address == "10.77.0.50"
            reaches(here, there, "10.77.0.50")
            reaches(there, here, box.address)
            there.sendto(b"anybody?", ("255.255.255.255", PORT))
            assert arrives(here, b"anybody?", PATIENCE)
            stays_away(here, there, "10.77.0.11")
            net.station("bedroom", "10.77.0.11")


def test_frames_sent_into_a_stall_arrive_after_it():
    with VirtualNetwork("wired") as net:
        box, kitchen = net.station("box", "10.77.0.2"), net.station("kitchen", "10.77.0.11")
        with listener(box) as here, listener(kitchen) as there:
            reaches(here, there, kitchen.address)
            begin = time.monotonic()
            net.stall(kitchen, 0.25)
            here.sendto(b"late", (kitchen.address, PORT))
            assert arrives(there, b"late", PATIENCE)
            assert time.monotonic() - begin > 0.249


def test_an_access_point_that_is_off_carries_nothing_until_it_is_on():
    with VirtualNetwork("wired") as net:
        box, kitchen = net.station("box", "10.77.0.2"), net.station("kitchen", "10.77.0.11")
        with listener(box) as here, listener(kitchen) as there:
            reaches(here, there, kitchen.address)
            net.off(1.0)
            stays_away(here, there, kitchen.address)
            reaches(here, there, kitchen.address)


def test_a_hundred_stations_join():
    with VirtualNetwork("wired") as net:
        stations = [net.station(f"s{n}", f"10.77.0.{10 + n}") for n in range(100)]
        with listener(stations[0]) as first, listener(stations[99]) as last:
            reaches(first, last, stations[99].address)


def test_closing_ends_every_program_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(house, "END_SECONDS", 0.2)
    with VirtualNetwork("wired") as net:
        kitchen = net.station("kitchen", "10.77.0.11")
        process = kitchen.popen(["sleep", "1000"])
        deaf = kitchen.popen(
            ["sh", "-c", "trap '' TERM; echo deaf; sleep 1000"], stdout=subprocess.PIPE
        )
        assert deaf.stdout is not None
        assert deaf.stdout.readline() == b"deaf\n"
    assert process.returncode == -signal.SIGTERM
    assert deaf.returncode == -signal.SIGKILL
    deaf.stdout.close()
    with pytest.raises(RuntimeError, match="not open"):
        net.stats()


def test_everything_ends_when_whoever_started_it_is_killed():
    program = """
import sys, time
from boards.emulated.network import VirtualNetwork
with VirtualNetwork("wired") as net:
    kitchen = net.station("kitchen", "10.77.0.11")
    child = kitchen.popen(["sh", "-c", "sleep 1000 & echo $!; wait"], stdout=-1, text=True)
    print(net._process.pid, child.pid, child.stdout.readline(), flush=True)
    time.sleep(1000)
"""
    starter = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert starter.stdout is not None
    left = [Path("/proc", pid) for pid in starter.stdout.readline().split()]
    assert len(left) == 3
    assert all(process.exists() for process in left)
    starter.kill()
    starter.communicate()
    eventually(lambda: all(_is_dead(process) for process in left))


def _is_dead(process: Path) -> bool:
    try:
        return "\nState:\tZ" in (process / "status").read_text()
    except OSError:
        return True


def test_names_and_addresses_are_checked():
    with VirtualNetwork("wired") as net:
        net.station("kitchen", "10.77.0.11")
        with pytest.raises(ValueError, match="'kitchen' exists already"):
            net.station("kitchen", "10.77.0.12")
        for address in ("10.77.0.11", "10.78.0.1", "10.77.0.255", "10.77.0.0"):
            with pytest.raises(ValueError, match=address):
                net.station("bedroom", address)
        with pytest.raises(ValueError, match="'attic' does not exist"):
            net.stall("attic", 1)
        with pytest.raises(ValueError, match=r"1\.5"):
            net.loss("kitchen", 1.5)


def test_a_machine_without_the_tun_device_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(namespace, "TUN_DEVICE", "/dev/net/no-tun")
    with pytest.raises(NetworkUnavailable, match=r"/dev/net/no-tun is missing: .*modprobe tun"):
        namespace.leave_machine_network()


def test_a_kernel_that_refuses_namespaces_is_one_clear_line(monkeypatch: pytest.MonkeyPatch):
    def refuse(_: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(namespace, "unshare", refuse)
    with pytest.raises(NetworkUnavailable) as caught:
        namespace.leave_machine_network()
    assert str(caught.value).startswith("virtual network: ")
    assert "run this as root" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_container_that_forbids_devices_is_one_clear_line(monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(tap, "Tap", refuse)
    with pytest.raises(NetworkUnavailable, match=r"Operation not permitted.*--cap-add NET_ADMIN"):
        tap.try_tap()


def test_the_command_measures_round_trips(capsys: pytest.CaptureFixture[str]):
    assert main(["--profile", "wired", "--measure", "0.3", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["sent"] > 5
    assert result["round trip"]["p50_us"] > 300


def test_the_command_exits_with_2_where_there_can_be_no_network(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def refuse(_: VirtualNetwork) -> None:
        raise NetworkUnavailable("virtual network: /dev/net/tun is missing: buy one")

    monkeypatch.setattr(VirtualNetwork, "open", refuse)
    assert main([]) == 2
    assert capsys.readouterr().err == "virtual network: /dev/net/tun is missing: buy one\n"
