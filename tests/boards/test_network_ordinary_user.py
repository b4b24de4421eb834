"""The virtual network needs no root: what an ordinary user sees, also where tests run as root.

As root the program below runs as user 65534, who can't read root's Python or repository and may
lack /dev/net/tun's permission. So a private mount namespace shows that user a copy of all three.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534
SECONDS = 30.0

PROGRAM = """
import json, os, select, sys
from boards.emulated.network import VirtualNetwork
with VirtualNetwork("wired", seed=1) as net:
    box, kitchen = net.station("box", "10.77.0.2"), net.station("kitchen", "10.77.0.11")
    script = "import os; print(os.getuid(), open('/proc/self/status').read())"
    inside = kitchen.popen([sys.executable, "-c", script], stdout=-1, text=True)
    user, status = inside.communicate()[0].split(None, 1)
    with box.socket() as here, kitchen.socket() as there:
        there.bind((kitchen.address, 5000))
        here.sendto(b"hello", (kitchen.address, 5000))
        arrived = bool(select.select((there,), (), (), 20)[0])
    kitchen.change_address("10.77.0.12")
    capabilities = [line.split()[1] for line in status.splitlines() if line.startswith("CapEff")]
    print(json.dumps([os.getuid(), int(user), arrived, int(capabilities[0], 16)]))
"""

# Runs as root, in a process of its own: arguments are this file's copies of what it binds where.
PRIVATE = """
import ctypes, json, os, stat, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
def mount(source, target, kind, flags):
    if libc.mount(source.encode(), target.encode(), kind, flags, None) != 0:
        raise OSError(ctypes.get_errno(), f"mount {source} on {target}")
BIND, PRIVATE, RECURSIVE = 4096, 1 << 18, 16384
prefix, root, place, program = sys.argv[1:]
if libc.unshare(0x00020000) != 0:
    raise OSError(ctypes.get_errno(), "unshare")
mount("none", "/", None, PRIVATE | RECURSIVE)
for source, name in ((prefix, "python"), (root, "root")):
    os.mkdir(f"{place}/{name}")
    mount(source, f"{place}/{name}", None, BIND)
mount("tmpfs", "/dev/net", b"tmpfs", 0)
os.mknod("/dev/net/tun", stat.S_IFCHR | 0o666, os.makedev(10, 200))
os.chmod("/dev/net/tun", 0o666)
os.chmod("/dev/net", 0o755)
version = f"python{sys.version_info.major}.{sys.version_info.minor}"
done = subprocess.run(
    [f"{place}/python/bin/{version}", "-c", program],
    user=65534, group=65534, extra_groups=[], cwd=f"{place}/root",
    env={"LD_LIBRARY_PATH": f"{place}/python/lib", "PYTHONDONTWRITEBYTECODE": "1",
         "PATH": "/usr/bin:/bin"},
)
sys.exit(done.returncode)
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that everybody can enter."""
    made = Path(tempfile.mkdtemp(prefix="phantom-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def test_an_ordinary_user_has_a_network_without_gaining_any_right(place: Path):
    user = os.getuid()
    argv, cwd = [sys.executable, "-c", PROGRAM], ROOT
    if user == 0:
        user = NOBODY
        argv = [sys.executable, "-c", PRIVATE, sys.base_prefix, str(ROOT), str(place), PROGRAM]
    done = subprocess.run(
        argv, check=False, cwd=cwd, capture_output=True, text=True, timeout=SECONDS
    )
    if "NetworkUnavailable" in done.stderr and not os.environ.get("CI"):
        pytest.skip(done.stderr.splitlines()[-1])
    assert done.returncode == 0, done.stderr
    outside, inside, arrived, capabilities = json.loads(done.stdout)
    assert (outside, inside) == (user, user)
    assert arrived
    assert capabilities == 0
