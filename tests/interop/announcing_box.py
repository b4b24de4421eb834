"""A box's registrar and its DNS-SD announcement, until stdin says something."""

from __future__ import annotations

import asyncio
import sys

from phantom.wire import CLOCK_PORT, mux
from storagebox.journal import Journal
from storagebox.registrar import Registrar
from storagebox.registrar.dnssd import Announcement
from tools.demo.installation import member


async def main() -> None:
    membership = member(sys.argv[1])
    journal = Journal(sys.stderr)
    registrar = Registrar(membership, role=mux.ROLE_BOX, name="home", journal=journal)
    await registrar.start()
    announcement = Announcement(
        membership,
        "home",
        registrar.addresses,
        port=CLOCK_PORT,
        page_port=8080,
        journal=journal,
    )
    await announcement.start()
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, stopped.set)
    await stopped.wait()
    await announcement.close()
    await registrar.close()


asyncio.run(main())
