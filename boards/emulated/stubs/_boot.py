"""Mounting the file system, as the chip's frozen _boot.py, inisetup.py and flashbdev.py do."""

import time

import vfs
from _board import facts
from _flash import SECTOR, Region

_CORRUPTED = """\
The filesystem appears to be corrupted. If you had important data there, you
may want to make a flash snapshot to try to recover it. Otherwise, perform
factory reprogramming of MicroPython firmware (completely erase flash, followed
by firmware programming).
"""

_BOOT_PY = """\
# This file is executed on every boot (including wake-boot from deepsleep)
#import esp
#esp.osdebug(None)
#import webrepl
#webrepl.start()
"""


def mount():
    """Mount the flash at /; a chip whose first block is erased gets a new file system."""
    device = Region(facts["vfs_start"], facts["vfs_end"])
    try:
        vfs.mount(vfs.VfsLfs2(device), "/")
        return
    except OSError:
        pass
    try:
        if _erased(device):
            _set_up(device)
        else:
            _complain()
    except KeyboardInterrupt:
        pass


def _erased(device):
    block = bytearray(SECTOR)
    device.readblocks(0, block)
    return block == b"\xff" * SECTOR


def _set_up(device):
    print("Performing initial setup")
    vfs.VfsLfs2.mkfs(device)
    vfs.mount(vfs.VfsLfs2(device), "/")
    with open("boot.py", "w") as f:
        f.write(_BOOT_PY)


def _complain():
    while True:
        print(_CORRUPTED)
        time.sleep(3)
