"""Clients that use a balancer: one line in the program that has requests to send.

    httpx      `BalancedTransport`, `AsyncBalancedTransport`
    aiohttp    `aiohttp_connector.BalancedConnector`, which needs the extra `aiohttp`
    sockets    `sockets.connected`, `sockets.opened`, for protocols that are no HTTP

What a request needs beside the balancer is the same for every client library and lives in
`attempts`; its `Settings` say when requests are sent again, and how long they may take.
"""

from storagebox.balance.transport.asynchronous import AsyncBalancedTransport
from storagebox.balance.transport.attempts import Settings
from storagebox.balance.transport.pools import Connecting
from storagebox.balance.transport.synchronous import BalancedTransport

__all__ = ["AsyncBalancedTransport", "BalancedTransport", "Connecting", "Settings"]
