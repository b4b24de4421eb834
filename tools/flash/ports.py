"""Serial ports: which there are, and whether one can be used, before a tool is let at it."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.flash.faults import FlashFault
from tools.flash.process import need


@dataclass(frozen=True)
class Port:
    """A serial port: its path, and what its USB end calls itself (empty if it does not).

    usb: whether it has one. A machine's own ports are there with nothing on them.
    """

    path: str
    description: str = ""
    usb: bool = True


def found() -> list[Port]:
    """The ports of this machine, plugged in or its own."""
    need("serial")
    from serial.tools import list_ports

    ports = [
        Port(port.device, _description(port), port.vid is not None)
        for port in list_ports.comports()
    ]
    return sorted(ports, key=lambda port: port.path)


def choose(wanted: str | None) -> str:
    """The port that was asked for, or the only one on USB. Raises FlashFault."""
    if wanted is not None:
        check(wanted)
        return wanted
    ports = found()
    plugged = [port.path for port in ports if port.usb]
    if not plugged:
        example = ports[0].path if ports else "/dev/ttyUSB0"
        raise FlashFault(
            "no board on USB: plug it in by a cable that carries data, "
            f"or name a port: --port {example}"
        )
    if len(plugged) > 1:
        raise FlashFault(f"several serial ports: name one by --port: {', '.join(plugged)}")
    check(plugged[0])
    return plugged[0]


def check(path: str) -> None:
    """Raise FlashFault unless this is a serial port that we may use and nobody uses now."""
    if "://" in path:
        return  # a port elsewhere, which only pyserial can try
    try:
        mode = Path(path).stat().st_mode
    except FileNotFoundError:
        raise FlashFault(f"{path}: no such port{_instead()}") from None
    except OSError as fault:
        raise FlashFault(f"{path}: {fault.strerror}: give another --port") from None
    if not stat.S_ISCHR(mode):
        raise FlashFault(f"{path}: not a serial port{_instead()}")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    except PermissionError:
        raise FlashFault(_no_permission(path)) from None
    except OSError as fault:
        if fault.errno == errno.EBUSY:
            raise FlashFault(_busy(path)) from None
        raise FlashFault(f"{path}: {fault.strerror}: plug the board in again") from None
    try:
        if not os.isatty(descriptor):
            raise FlashFault(f"{path}: not a serial port{_instead()}")
        # pyserial, and so esptool and mpremote, hold a port that they use by this lock.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise FlashFault(_busy(path)) from None
    finally:
        os.close(descriptor)


def holders(path: str) -> list[str]:
    """The programs that have a port open, as far as we may see: "mpremote (4711)"."""
    held: list[str] = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            open_files = [link.readlink() for link in (process / "fd").iterdir()]
            if int(process.name) != os.getpid() and Path(path) in open_files:
                held.append(f"{_program(process)} ({process.name})")
        except OSError:
            continue  # not ours to look at, or ended meanwhile
    return held


def _program(process: Path) -> str:
    words = (process / "cmdline").read_bytes().split(b"\0")
    if b"-m" in words[:-1]:  # python -m mpremote
        return words[words.index(b"-m") + 1].decode(errors="replace")
    return (process / "comm").read_text(errors="replace").strip()


def _busy(path: str) -> str:
    held = holders(path)
    by = f" by {', '.join(held)}" if held else " by another program"
    return f"{path}: in use{by}: close it, then repeat"


def _no_permission(path: str) -> str:
    try:
        group = Path(path).group()
    except (KeyError, OSError):
        group = "dialout"
    return (
        f"{path}: no permission: join its group by `sudo usermod -aG {group} $USER`, "
        "log out and in again"
    )


def _instead() -> str:
    try:
        ports = [port.path for port in found()]
    except FlashFault:
        ports = []
    if not ports:
        return ": is the board plugged in, by a USB cable that carries data? No port is here now"
    return f": there {'is' if len(ports) == 1 else 'are'} {', '.join(ports)}"


def _description(port: Any) -> str:
    text = str(port.product or port.description or "")
    return "" if text == "n/a" else text
