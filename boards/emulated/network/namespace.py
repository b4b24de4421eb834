"""Network namespaces without root's `ip`: leaving the machine's network, and entering another.

As root a network namespace is enough. Anybody else first makes a user namespace, inside which the
kernel lets them (user_namespaces(7)). Python has `os.unshare` and `os.setns` from 3.12 on only, so
both are called through ctypes.
"""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
TUN_DEVICE = "/dev/net/tun"

_libc = ctypes.CDLL(None, use_errno=True)


class NetworkUnavailable(RuntimeError):
    """This machine or user can't have a virtual network; the message says why, and what to do."""


def unshare(flags: int) -> None:
    """unshare(2). Raises OSError."""
    if _libc.unshare(flags) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def setns(descriptor: int, kind: int) -> None:
    """setns(2): enter the namespace that `descriptor` refers to. Raises OSError."""
    if _libc.setns(descriptor, kind) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def leave_machine_network() -> bool:
    """Put this process into an empty network namespace that it may configure.

    True if that took a user namespace too, which whoever wants to follow must enter first. The
    process keeps its user id. Raises NetworkUnavailable.
    """
    if not Path(TUN_DEVICE).exists():
        raise NetworkUnavailable(
            f"virtual network: {TUN_DEVICE} is missing: run `modprobe tun` as root, "
            f"or start the container with --device {TUN_DEVICE}"
        )
    if not os.access(TUN_DEVICE, os.R_OK | os.W_OK):
        raise NetworkUnavailable(
            f"virtual network: you may not open {TUN_DEVICE}: run `chmod 666 {TUN_DEVICE}` as root"
        )
    try:
        unshare(CLONE_NEWNET)
        return False
    except OSError as error:
        if error.errno != errno.EPERM:
            raise refused(error) from error
    user, group = os.getuid(), os.getgid()
    try:
        unshare(CLONE_NEWUSER | CLONE_NEWNET)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    except OSError as error:
        raise refused(error) from error
    return True


def open_own_network() -> int:
    """A descriptor of this process's network namespace; keeps it alive. The caller closes it."""
    return os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def open_own_user() -> int:
    """A descriptor of this process's user namespace. The caller closes it."""
    return os.open("/proc/self/ns/user", os.O_RDONLY | os.O_CLOEXEC)


def refused(error: OSError) -> NetworkUnavailable:
    """The kernel's refusal, with the setting that most likely is its cause and the remedy."""
    remedies = (
        # setting, value that forbids, value that allows
        ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),  # Ubuntu 23.10 and later
        ("kernel.unprivileged_userns_clone", "0", "1"),  # Debian's own
        ("user.max_user_namespaces", "0", "10000"),
        ("user.max_net_namespaces", "0", "10000"),
    )
    for setting, forbids, allows in remedies:
        file = Path("/proc/sys", *setting.split("."))
        if file.exists() and file.read_text().strip() == forbids:
            return NetworkUnavailable(
                f"virtual network: {setting} = {forbids} forbids network namespaces: "
                f"run `sysctl {setting}={allows}` as root, or run this as root"
            )
    return NetworkUnavailable(
        f"virtual network: the kernel refuses a namespace with a device ({error.strerror}): "
        "run this as root, or start the container with --cap-add SYS_ADMIN --cap-add NET_ADMIN"
    )
