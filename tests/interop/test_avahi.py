"""Debian's own avahi-browse sees a box: both run in a virtual network, at stations of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from boards.emulated.network import Station, VirtualNetwork
from tests.networks import open_network

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 30.0
PROGRAMS = ("avahi-daemon", "avahi-browse", "avahi-resolve", "dbus-daemon")
IPV6 = "echo 0 > /proc/sys/net/ipv6/conf/all/disable_ipv6; exec "

DBUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="signal"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
  </policy>
</busconfig>
"""

AVAHI = """[server]
host-name=listener
use-ipv4=yes
use-ipv6=yes
enable-dbus=yes
[wide-area]
enable-wide-area=no
[publish]
disable-publishing=yes
"""


@pytest.fixture
def network() -> Iterator[VirtualNetwork]:
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing or os.geteuid() != 0:
        reason = f"needs root and {', '.join(PROGRAMS)}: apt install avahi-daemon avahi-utils dbus"
        if os.environ.get("CI") == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    with open_network() as network:
        yield network


class Listener:
    """A station with a bus and an Avahi daemon of its own: this machine's are left alone."""

    def __init__(self, station: Station, folder: Path) -> None:
        self._station = station
        folder.chmod(0o755)
        socket = folder / "bus"
        self._environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={socket}"}
        (folder / "bus.conf").write_text(DBUS.format(socket=socket))
        (folder / "avahi.conf").write_text(AVAHI)
        self._start(f"dbus-daemon --nofork --config-file={folder}/bus.conf")
        end = time.monotonic() + PATIENCE
        while not socket.exists():
            assert time.monotonic() < end, "the bus does not start"
            time.sleep(0.02)
        # A folder of its own for its pid file, so that it does not find another daemon's.
        run = f"mount -t tmpfs none /run/avahi-daemon; mount -t tmpfs none {folder}/none; "
        (folder / "none").mkdir()
        daemon = f"avahi-daemon --no-drop-root --no-chroot --no-rlimits -f {folder}/avahi.conf"
        self._start(f"unshare --mount sh -c 'mkdir -p /run/avahi-daemon; {run}exec {daemon}'")

    def _start(self, command: str) -> None:
        shell = ["sh", "-c", IPV6 + command]
        self._station.popen(shell, env=self._environment, stdin=subprocess.DEVNULL)

    def ask(self, *command: str) -> list[str]:
        """The lines that one of Avahi's commands prints."""
        asked = self._station.popen(
            command,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        out, _ = asked.communicate(timeout=PATIENCE)
        return out.splitlines()

    def browse(self, kind: str) -> dict[str, list[str]]:
        """By protocol: interface, protocol, name, type, domain, host, address, port, TXT."""
        lines = self.ask("avahi-browse", "--parsable", "--resolve", "--terminate", kind)
        entries = [line.split(";") for line in lines if line.startswith("=")]
        return {entry[2]: entry for entry in entries}

    def wait(self, kind: str) -> list[str]:
        """The entry heard over IPv4, once it is heard over IPv6 as well."""
        end = time.monotonic() + PATIENCE
        while True:
            entries = self.browse(kind)
            if {"IPv4", "IPv6"} <= entries.keys():
                return entries["IPv4"]
            assert time.monotonic() < end, f"avahi-browse sees only {entries}"
            time.sleep(0.2)

    def wait_for_ipv6(self, host: str) -> str:
        """The IPv6 address of a host."""
        end = time.monotonic() + PATIENCE
        while not (lines := self.ask("avahi-resolve", "-6", "--name", host)):
            assert time.monotonic() < end, f"{host} has no IPv6 address"
            time.sleep(0.2)
        return lines[0].split("\t")[1]


def test_avahi_browse_sees_a_box_and_its_page_over_ipv4_and_ipv6(
    network: VirtualNetwork, tmp_path: Path
) -> None:
    home = network.station("box", "10.77.0.2")
    listener = Listener(network.station("listener", "10.77.0.3"), tmp_path)
    box = home.popen(
        ["sh", "-c", f"{IPV6}{sys.executable} tests/interop/announcing_box.py box-1234abcd"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT}/host:{ROOT}/firmware"},
        stdin=subprocess.PIPE,
        text=True,
    )
    entry = listener.wait("_phantom._tcp")
    assert (entry[6], entry[8]) == ("box-1234abcd.local", "4771")
    assert listener.ask("avahi-resolve", "-4", "--name", entry[6])[0].endswith("10.77.0.2")
    for wanted in ('"id=box-1234abcd"', '"installation=70686e746f6d0001"', '"protocol=1"'):
        assert wanted in entry[9]
    assert listener.wait_for_ipv6("box-1234abcd.local").startswith("fe80::")
    assert listener.wait("_http._tcp")[8] == "8080"
    box.communicate("stop\n", timeout=PATIENCE)
    end = time.monotonic() + PATIENCE
    while listener.browse("_phantom._tcp"):
        assert time.monotonic() < end, "the box is still announced after its goodbye"
        time.sleep(0.2)
