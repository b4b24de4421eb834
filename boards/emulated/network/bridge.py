"""The process that carries frames between the stations' TAP devices as the access point decides.

A process of its own, so that its timing does not wait for anybody's Python. It owns everything:
namespaces and devices live as long as its descriptors, and it ends when whoever started it is
gone, however that went; before it does, it kills what still runs in its namespaces.

The control socket (SOCK_SEQPACKET) takes one JSON object a request, with the action's name in
"do", and answers each with one: {"error": …} or the result, descriptors beside it.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any

from .access_point import AccessPoint, Port
from .histogram import Histogram
from .medium import NEVER
from .namespace import (
    CLONE_NEWNET,
    NetworkUnavailable,
    leave_machine_network,
    open_own_network,
    open_own_user,
    setns,
    unshare,
)
from .profiles import Profile
from .tap import MTU, Tap, try_tap

REQUEST_BYTES = 1 << 16
FRAME_BYTES = MTU + 14 + 4  # Ethernet header, and a VLAN tag that nobody uses
IDLE_SECONDS = 0.5  # between looks at whether the parent is still there
# Frames taken from one station before the others have their turn.
BURST = 8
NS = 1_000_000_000
# A process runs again some time after its sleep is over, the later the deeper the processor slept
# (measured: docs/network.md): sleeps up to ns, late by ns. A sleep is asked to end that much
# early, and a frame that ended one is taken to have come that much before. What is due within
# EARLY_NS goes out at once: another sleep would cost more than the error is worth.
LATENESS_NS = ((300_000, 30_000), (2_000_000, 60_000), (NEVER, 100_000))
EARLY_NS = 40_000
_PR_SET_TIMERSLACK = 29

Fields = dict[str, Any]


class Bridge:
    """The event loop, the stations' devices, and the actions that the control socket can ask."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._parent = os.getppid()
        self._own_user = leave_machine_network()
        try_tap()
        self._home = open_own_network()
        self._epoll = select.epoll()
        self._epoll.register(control, select.EPOLLIN)
        self._access_point: AccessPoint | None = None
        self._profiles: list[Profile] = []
        self._taps: list[Tap] = []
        self._networks: list[int] = []
        self._ports: dict[int, Port] = {}  # by TAP descriptor
        self._lateness = Histogram()
        self._refused = 0
        self._running = True

    def run(self) -> None:
        """Carry frames until the other end of the control socket is gone."""
        control = self._control.fileno()
        waiting = (self._epoll.fileno(),)
        monotonic_ns = time.monotonic_ns
        poll = self._epoll.poll
        access_point = None
        while self._running:
            wait = IDLE_SECONDS
            asleep_ns = monotonic_ns()
            if access_point is not None:
                wake = access_point.next_ns()
                if wake != NEVER:
                    wait = _nap(wake - asleep_ns)
            # select, because epoll's own timeout counts in milliseconds.
            if select.select(waiting, (), (), wait)[0]:
                slept_ns = monotonic_ns() - asleep_ns
                arrived_ns = asleep_ns + max(0, slept_ns - _lateness_ns(slept_ns))
                for descriptor, _ in poll(0):
                    if descriptor == control:
                        self._serve()
                        access_point = self._access_point
                    elif access_point is not None:
                        self._take(access_point, descriptor, arrived_ns)
            elif wait == IDLE_SECONDS and os.getppid() != self._parent:
                return
            if access_point is not None:
                self._give(access_point)

    def close(self) -> None:
        """End every process that is still in one of the namespaces, and the devices."""
        self._kill_residents()
        for tap in self._taps:
            tap.close()

    def _take(self, access_point: AccessPoint, descriptor: int, arrived_ns: int) -> None:
        port = self._ports[descriptor]
        with suppress(BlockingIOError):
            for _ in range(BURST):
                frame = os.read(descriptor, FRAME_BYTES)
                access_point.offer(port, frame, arrived_ns)
                if len(frame) < MTU:  # what comes in a burst is full; asking again costs a call
                    return

    def _give(self, access_point: AccessPoint) -> None:
        due = access_point.due(time.monotonic_ns() + EARLY_NS)
        for at, port, frame in due:
            self._lateness.add((time.monotonic_ns() - at) // 1000)
            try:
                os.write(self._taps[port.index].descriptor, frame)
            except OSError:  # the kernel's queue is full: a real receiver's would be as well
                self._refused += 1

    # The control socket's actions.

    def _serve(self) -> None:
        request = self._control.recv(REQUEST_BYTES)
        if not request:
            self._running = False
            return
        fields: Fields = json.loads(request)
        action: Callable[[Fields], tuple[Fields, list[int]]]
        action = getattr(self, "_do_" + fields["do"])
        descriptors: list[int] = []
        try:
            result, descriptors = action(fields)
        except OSError as error:
            result = {"error": f"virtual network: {fields['do']} failed: {error}"}
        with suppress(BrokenPipeError):
            socket.send_fds(self._control, [json.dumps(result).encode()], descriptors)
        if fields["do"] == "socket":
            os.close(descriptors[0])

    def _do_open(self, fields: Fields) -> tuple[Fields, list[int]]:
        start_ns = time.monotonic_ns()
        profile = Profile.from_fields(fields["profile"])
        self._access_point = AccessPoint(profile, fields["seed"], start_ns)
        return {"start_ns": start_ns}, [open_own_user()] if self._own_user else []

    def _do_join(self, fields: Fields) -> tuple[Fields, list[int]]:
        assert self._access_point is not None
        profile = Profile.from_fields(fields["profile"])
        mac = bytes.fromhex(fields["mac"])
        unshare(CLONE_NEWNET)
        try:
            network = open_own_network()
            device = "wlan0" if profile.wireless else "eth0"
            tap = Tap(device, mac, IPv4Interface(fields["address"]))
        finally:
            setns(self._home, CLONE_NEWNET)
        self._taps.append(tap)
        self._networks.append(network)
        self._profiles.append(profile)
        self._ports[tap.descriptor] = self._access_point.join(fields["name"], mac, profile)
        self._epoll.register(tap.descriptor, select.EPOLLIN)
        gc.freeze()
        return {}, [network]

    def _do_socket(self, fields: Fields) -> tuple[Fields, list[int]]:
        setns(self._networks[fields["station"]], CLONE_NEWNET)
        try:
            opened = socket.socket(socket.AF_INET, fields["kind"])
        finally:
            setns(self._home, CLONE_NEWNET)
        return {}, [opened.detach()]

    def _do_address(self, fields: Fields) -> tuple[Fields, list[int]]:
        self._taps[fields["station"]].set_address(IPv4Interface(fields["address"]))
        return {}, []

    def _do_stall(self, fields: Fields) -> tuple[Fields, list[int]]:
        point, port = self._station(fields)
        point.stall(port, int(fields["seconds"] * NS), time.monotonic_ns())
        return {}, []

    def _do_loss(self, fields: Fields) -> tuple[Fields, list[int]]:
        point, port = self._station(fields)
        point.lose(port, fields["ratio"], self._profiles[port.index])
        return {}, []

    def _do_cut(self, fields: Fields) -> tuple[Fields, list[int]]:
        assert self._access_point is not None
        self._access_point.partition(fields["sides"])
        return {}, []

    def _do_off(self, fields: Fields) -> tuple[Fields, list[int]]:
        assert self._access_point is not None
        self._access_point.switch_off(int(fields["seconds"] * NS), time.monotonic_ns())
        return {}, []

    def _do_stats(self, _: Fields) -> tuple[Fields, list[int]]:
        assert self._access_point is not None
        return {
            "stations": {port.name: port.stats() for port in self._access_point.ports},
            "unknown": self._access_point.unknown,
            "refused": self._refused,
            "late": self._lateness.percentiles((50, 95, 99, 100)),
            "cpu_s": time.process_time(),
        }, []

    def _station(self, fields: Fields) -> tuple[AccessPoint, Port]:
        assert self._access_point is not None
        return self._access_point, self._access_point.ports[fields["station"]]

    def _kill_residents(self) -> None:
        """Kill what runs in the stations' namespaces: known by the namespace, not by a name."""
        ours = {f"net:[{os.fstat(network).st_ino}]" for network in self._networks}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            with suppress(OSError):
                process = os.pidfd_open(int(entry.name))
                try:
                    if str((entry / "ns" / "net").readlink()) in ours:
                        signal.pidfd_send_signal(process, signal.SIGKILL)
                finally:
                    os.close(process)


def _lateness_ns(sleep_ns: int) -> int:
    """How late, typically, this process runs again after a sleep of this length."""
    for up_to_ns, late_ns in LATENESS_NS:
        if sleep_ns <= up_to_ns:
            return late_ns
    raise AssertionError("the last row has no limit")


def _nap(left_ns: int) -> float:
    """Seconds to sleep when the next frame is due in `left_ns`."""
    return min(max(left_ns - _lateness_ns(left_ns), 0) / NS, IDLE_SECONDS)


def _be_punctual() -> None:
    """Ask for exact timers and to be run at once; without the right to, do without."""
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except OSError:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, -10)


def main() -> None:
    """Serve the control socket whose descriptor is the only argument."""
    control = socket.socket(fileno=int(sys.argv[1]))
    _be_punctual()
    gc.disable()  # the hot path makes no cycles
    try:
        bridge = Bridge(control)
    except NetworkUnavailable as error:
        control.send(json.dumps({"unavailable": str(error)}).encode())
        return
    control.send(b"{}")
    try:
        bridge.run()
    finally:
        bridge.close()


if __name__ == "__main__":
    main()
