"""DNS-SD (Bonjour): a box as programs that know nothing of Phantom find it.

`_phantom._tcp` tells that a box is here, with TXT entries `id`, `installation` and `protocol`;
`_http._tcp` its web page. IPv4 and IPv6. Nothing of the house depends on it: devices and boxes
find each other by beacons.
"""

from __future__ import annotations

import asyncio
import importlib
import ipaddress
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from phantom.wire import PROTOCOL
from storagebox.journal import Journal

from .registrar import Belonging

if TYPE_CHECKING:  # importing it takes 0.2 s: not before it is needed, and not on the loop
    from zeroconf import ServiceInfo
    from zeroconf.asyncio import AsyncZeroconf

PHANTOM = "_phantom._tcp.local."
PAGE = "_http._tcp.local."
# How often our addresses are looked at; other machines keep answers for a minute or more.
LOOK_S = 2.0


class Announcement:
    """Announces one box while it runs.

    `addresses()` are the box's own (`Registrar.addresses`); on loopback alone nothing is said.
    `port` is where the box answers, `page_port` that of its page, None without one.
    """

    def __init__(
        self,
        membership: Belonging,
        name: str,
        addresses: Callable[[], list[str]],
        *,
        port: int,
        page_port: int | None = None,
        journal: Journal | None = None,
    ) -> None:
        self._membership = membership
        self._name = name
        self._addresses = addresses
        self._port = port
        self._page_port = page_port
        self._journal = journal or Journal(None)
        self._zeroconf: AsyncZeroconf | None = None
        self._announced: list[str] = []
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin; what fails is noted in the journal and tried again when addresses change."""
        self._task = asyncio.create_task(self._follow())

    async def close(self) -> None:
        """Take the announcement back."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        await self._withdraw()

    async def _follow(self) -> None:
        while True:
            here = [text for text in self._addresses() if not _is_loopback(text)]
            if here != self._announced:
                self._announced = here
                await self._withdraw()
                if here:
                    await self._announce(here)
            await asyncio.sleep(LOOK_S)

    async def _announce(self, here: list[str]) -> None:
        await asyncio.to_thread(importlib.import_module, "zeroconf.asyncio")
        from zeroconf import IPVersion, NonUniqueNameException
        from zeroconf.asyncio import AsyncZeroconf

        version = IPVersion.All if any(":" in text for text in here) else IPVersion.V4Only
        if all(":" in text for text in here):
            version = IPVersion.V6Only
        try:
            self._zeroconf = AsyncZeroconf(ip_version=version)
            for info in self._services(here):
                # Probing and announcing go on by themselves.
                await self._zeroconf.async_register_service(info, allow_name_change=True)
        except (OSError, NonUniqueNameException) as fault:
            self._journal.emit("dnssd.failed", error=str(fault))
            await self._withdraw()
            return
        self._journal.emit("dnssd.announced", addresses=here)

    def _services(self, here: list[str]) -> list[ServiceInfo]:
        from zeroconf import ServiceInfo

        packed = [ipaddress.ip_address(text).packed for text in here]
        identity = self._membership.id
        server = f"{identity}.local."
        # The id makes it unique: two boxes of a home have its name in common.
        instance = f"{self._name} ({identity})".replace(".", " ")[:60]
        properties = {
            "id": identity,
            "installation": self._membership.installation.hex(),
            "protocol": str(PROTOCOL),
        }
        services = [
            ServiceInfo(
                PHANTOM,
                f"{instance}.{PHANTOM}",
                self._port,
                properties=properties,
                server=server,
                addresses=packed,
            )
        ]
        if self._page_port is not None:
            services.append(
                ServiceInfo(
                    PAGE,
                    f"{instance}.{PAGE}",
                    self._page_port,
                    properties={"path": "/"},
                    server=server,
                    addresses=packed,
                )
            )
        return services

    async def _withdraw(self) -> None:
        zeroconf, self._zeroconf = self._zeroconf, None
        if zeroconf is not None:
            with suppress(OSError):
                await zeroconf.async_unregister_all_services()
            await zeroconf.async_close()


def _is_loopback(text: str) -> bool:
    return ipaddress.ip_address(text).is_loopback
