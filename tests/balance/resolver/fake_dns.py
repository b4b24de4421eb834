"""A name server of one test: records by name and type, over UDP and TCP."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from storagebox.balance.resolver.dns import DnsSettings


class FakeDns(asyncio.DatagramProtocol):
    """Answers what `say` was told; anything else is no such name."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], dns.rrset.RRset] = {}
        self.additional: list[dns.rrset.RRset] = []
        self.rcode = dns.rcode.NOERROR
        self.asked: list[str] = []
        self.payloads: list[int] = []
        self.port = 0
        self._asked = asyncio.Condition()

    def say(self, name: str, kind: str, *texts: str, ttl: int = 0) -> None:
        self.records.pop((name, kind), None)
        if texts:
            self.records[name, kind] = dns.rrset.from_text(f"{name}.", ttl, "IN", kind, *texts)

    def add(self, name: str, kind: str, *texts: str) -> None:
        self.additional.append(dns.rrset.from_text(f"{name}.", 0, "IN", kind, *texts))

    async def questions(self, count: int) -> None:
        async with self._asked:
            await asyncio.wait_for(self._asked.wait_for(lambda: len(self.asked) >= count), 60)

    def answer(self, wire: bytes) -> bytes:
        question = dns.message.from_wire(wire)
        name = question.question[0].name.to_text(omit_final_dot=True)
        kind = dns.rdatatype.to_text(question.question[0].rdtype)
        self.asked.append(f"{name} {kind}")
        self.payloads.append(question.payload)
        answer = dns.message.make_response(question)
        found = self.records.get((name, kind))
        if self.rcode != dns.rcode.NOERROR:
            answer.set_rcode(self.rcode)
        elif found is not None:
            answer.answer.append(found)
            answer.additional += self.additional
        elif not any(known == name for known, _ in self.records):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer.to_wire(max_size=65535)

    def connection_made(self, transport: Any) -> None:
        self._transport: asyncio.DatagramTransport = transport
        self._tasks: set[asyncio.Task[None]] = set()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._transport.sendto(self.answer(data), addr)
        task = asyncio.ensure_future(self._tell())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            size = int.from_bytes(await reader.readexactly(2), "big")
            wire = self.answer(await reader.readexactly(size))
            writer.write(len(wire).to_bytes(2, "big") + wire)
            await writer.drain()
        writer.close()

    async def _tell(self) -> None:
        async with self._asked:
            self._asked.notify_all()

    def settings(self, **more: object) -> DnsSettings:
        """To ask this one, all the time."""
        given = {"servers": ["127.0.0.1"], "port": self.port, "min_ttl_s": 0.001} | more
        return DnsSettings(**given)  # pyright: ignore[reportArgumentType]


@asynccontextmanager
async def name_server(*, tcp: bool = False) -> AsyncGenerator[FakeDns]:
    """One at work on a free port."""
    loop = asyncio.get_running_loop()
    transport, fake = await loop.create_datagram_endpoint(FakeDns, ("127.0.0.1", 0))
    fake.port = transport.get_extra_info("sockname")[1]
    server = await asyncio.start_server(fake.tcp, "127.0.0.1", fake.port) if tcp else None
    try:
        yield fake
    finally:
        transport.close()
        if server is not None:
            server.close()
