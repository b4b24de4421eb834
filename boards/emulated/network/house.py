"""The house as a program sees it: a network, its stations, and what can happen to them."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Collection, Sequence
from dataclasses import asdict
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .namespace import NetworkUnavailable
from .profiles import Profile, profile_named

REPLY_BYTES = 1 << 20
# Setting up a namespace takes milliseconds; this is for a starved machine or a dead bridge.
REPLY_SECONDS = 20.0
# What a program gets to end after SIGTERM before it is killed.
END_SECONDS = 2.0
_ROOT = Path(__file__).resolve().parents[3]
_ENTER = Path(__file__).with_name("enter.py")


class Station:
    """One machine of the house: a board or a box, in a network namespace of its own."""

    def __init__(self, network: VirtualNetwork, index: int, name: str, address: str) -> None:
        self._network = network
        self._index = index
        self._descriptor = -1
        self._processes: list[subprocess.Popen[Any]] = []
        self.name = name
        self.address = address

    @property
    def index(self) -> int:
        """The station's number, from 0."""
        return self._index

    def popen(
        self, argv: Sequence[str | os.PathLike[str]], **kwargs: Any
    ) -> subprocess.Popen[Any]:
        """`subprocess.Popen`, in the station's namespace. Fits EmulatedBoard's `launch`.

        The process is the program itself, so its pid, signals and exit status are too. What still
        runs when the network closes is ended. `shell`, `executable` and `preexec_fn` don't work.
        Raises FileNotFoundError for a program that isn't there.
        """
        for unusable in {"shell", "executable", "preexec_fn"} & kwargs.keys():
            raise ValueError(f"station {self.name}: popen takes no {unusable}")
        program = os.fspath(argv[0])
        path = (kwargs.get("env") or os.environ).get("PATH")
        if kwargs.get("cwd") is None and shutil.which(program, path=path) is None:
            raise FileNotFoundError(f"station {self.name}: there is no program {program!r}")
        user, own = self._network.user_descriptor, self._descriptor
        inherited = [fd for fd in (user, own) if fd >= 0]
        kwargs["pass_fds"] = (*kwargs.get("pass_fds", ()), *inherited)
        start = [sys.executable, "-I", "-S", os.fspath(_ENTER), str(user), str(own)]
        process: subprocess.Popen[Any] = subprocess.Popen(
            [*start, *(os.fspath(word) for word in argv)], **kwargs
        )
        self._processes = [p for p in self._processes if p.poll() is None]
        self._processes.append(process)
        return process

    def socket(self, kind: socket.SocketKind = socket.SOCK_DGRAM) -> socket.socket:
        """A new IPv4 socket of this station, for use in the calling process. The caller closes it.

        A socket belongs to the namespace where it was made, whoever holds it.
        """
        _, descriptors = self._network.ask("socket", station=self._index, kind=int(kind))
        return socket.socket(socket.AF_INET, kind, fileno=descriptors[0])

    def change_address(self, address: str) -> None:
        """Give the station another IPv4 address, as DHCP might. Its TCP connections are dead."""
        interface = self._network.interface(address)
        self._network.ask("address", station=self._index, address=interface)
        self._network.release(self.address)
        self.address = address

    def adopt(self, descriptor: int) -> None:
        """Take over the descriptor of the station's namespace (the network does this)."""
        self._descriptor = descriptor

    def end_processes(self) -> None:
        """End what `popen` started and still runs: SIGTERM, and SIGKILL to the deaf."""
        running = [p for p in self._processes if p.poll() is None]
        for process in running:
            process.terminate()
        for process in running:
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes = []

    def close(self) -> None:
        """Let go of the namespace."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class VirtualNetwork:
    """Stations joined by an access point. A context manager; `station` adds one while it is open.

    `profile` is what stations get that have no profile of their own; `seed` decides every delay,
    loss and stall. Raises NetworkUnavailable where a machine or user can't have one.
    """

    def __init__(
        self, profile: str | Profile = "wifi", seed: int = 0, subnet: str = "10.77.0.0/24"
    ) -> None:
        self.profile = profile_named(profile) if isinstance(profile, str) else profile
        self.seed = seed
        self.stations: dict[str, Station] = {}
        self.user_descriptor = -1
        self.start_ns = 0
        self._subnet = IPv4Network(subnet)
        self._addresses: set[IPv4Address] = set()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def open(self) -> None:
        """Start the access point."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(REPLY_SECONDS)
        paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "boards.emulated.network.bridge", str(theirs.fileno())],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is the starter's to handle; it closes us
            )
        self._control = ours
        try:
            self._receive()
            reply, descriptors = self.ask("open", profile=asdict(self.profile), seed=self.seed)
        except BaseException:
            self.close()
            raise
        self.start_ns = reply["start_ns"]
        if descriptors:
            self.user_descriptor = descriptors[0]

    def close(self) -> None:
        """End all stations' processes and the access point. Nothing of the network is left."""
        for station in self.stations.values():
            station.end_processes()
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            try:
                self._process.wait(REPLY_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        for station in self.stations.values():
            station.close()
        self.stations = {}
        self._addresses = set()
        if self.user_descriptor >= 0:
            os.close(self.user_descriptor)
            self.user_descriptor = -1

    def station(self, name: str, address: str, profile: str | Profile | None = None) -> Station:
        """A new station with this IPv4 address; `profile="wired"` puts it on a cable.

        Raises ValueError for a name or address that is taken or not of the network's.
        """
        if name in self.stations:
            raise ValueError(f"station {name!r} exists already: choose another name")
        if profile is None:
            profile = self.profile
        elif isinstance(profile, str):
            profile = profile_named(profile)
        interface = self.interface(address)
        index = len(self.stations)
        station = Station(self, index, name, address)
        mac = bytes((0x02, 0x50, 0x48)) + index.to_bytes(3, "big")  # locally administered
        try:
            _, descriptors = self.ask(
                "join", name=name, address=interface, mac=mac.hex(), profile=asdict(profile)
            )
        except BaseException:
            self.release(address)
            raise
        station.adopt(descriptors[0])
        self.stations[name] = station
        return station

    def stall(self, station: Station | str, seconds: float) -> None:
        """Freeze a station's link from now on: its frames wait, both ways."""
        self.ask("stall", station=self._index(station), seconds=seconds)

    def loss(self, station: Station | str, ratio: float | None) -> None:
        """Lose this share, 0..1, of a station's frames each way; None: as its profile has it."""
        if ratio is not None and not 0.0 <= ratio <= 1.0:
            raise ValueError(f"loss ratio {ratio} is not between 0 and 1")
        self.ask("loss", station=self._index(station), ratio=ratio)

    def cut(self, *sides: Collection[Station | str] | Station | str) -> None:
        """Partition the house: frames pass within each side, and among those on none of them."""
        names: list[list[str]] = []
        for side in sides:
            members = (side,) if isinstance(side, (Station, str)) else side
            names.append([self._member(member).name for member in members])
        self.ask("cut", sides=names)

    def heal(self) -> None:
        """End the partition."""
        self.ask("cut", sides=[])

    def off(self, seconds: float) -> None:
        """Take the access point's power for this long: what is queued or sent is gone."""
        self.ask("off", seconds=seconds)

    def stats(self) -> dict[str, Any]:
        """What happened so far.

        {"stations": {name: {sent, delivered, lost, overflowed, cut, broadcasts_lost (frames),
        up, down: {p50_us, p95_us, p99_us}}}, "late": how long after its time a frame was delivered
        (p50_us … p100_us), "cpu_s": the access point's, "refused", "unknown": frames}
        """
        reply, _ = self.ask("stats")
        return reply

    def interface(self, address: str) -> str:
        """Reserve an address: "10.77.0.11/24". Raises ValueError if it can't be had."""
        parsed = IPv4Address(address)
        edges = (self._subnet.network_address, self._subnet.broadcast_address)
        if parsed not in self._subnet or parsed in edges:
            raise ValueError(f"address {address} is no station's in {self._subnet}")
        if parsed in self._addresses:
            raise ValueError(f"address {address} is taken: choose another in {self._subnet}")
        self._addresses.add(parsed)
        return f"{parsed}/{self._subnet.prefixlen}"

    def release(self, address: str) -> None:
        """Give an address back."""
        self._addresses.discard(IPv4Address(address))

    def ask(self, action: str, **fields: Any) -> tuple[dict[str, Any], list[int]]:
        """Have the access point's process do something: its reply, and descriptors with it.

        Raises RuntimeError if it failed or the process is gone.
        """
        with self._lock:
            if self._control is None:
                raise RuntimeError("the virtual network is not open: use it in a `with` block")
            try:
                self._control.send(json.dumps({"do": action, **fields}).encode())
            except OSError as error:
                raise RuntimeError(f"the virtual network's process is gone: {error}") from error
            return self._receive()

    def _receive(self) -> tuple[dict[str, Any], list[int]]:
        assert self._control is not None
        data, descriptors, _, _ = socket.recv_fds(
            self._control, REPLY_BYTES, 1, socket.MSG_CMSG_CLOEXEC
        )
        if not data:
            raise RuntimeError("the virtual network's process ended; its message is on stderr")
        reply: dict[str, Any] = json.loads(data)
        if "unavailable" in reply:
            raise NetworkUnavailable(reply["unavailable"])
        if "error" in reply:
            raise RuntimeError(reply["error"])
        return reply, list(descriptors)

    def _member(self, station: Station | str) -> Station:
        name = station if isinstance(station, str) else station.name
        try:
            return self.stations[name]
        except KeyError:
            raise ValueError(f"station {name!r} does not exist in this network") from None

    def _index(self, station: Station | str) -> int:
        return self._member(station).index
