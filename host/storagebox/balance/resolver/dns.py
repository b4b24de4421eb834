"""DNS: addresses of a name (A, AAAA) at a port that is known, or SRV records that tell ports too.

A name is asked for again when its records' time to live is over. "No such name" is an empty
answer and counts only once it lasts (`holding`); a server that fails or doesn't answer says
nothing, and what it said last goes on to count.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from random import Random

import dns.asyncresolver
import dns.exception
import dns.message
import dns.name
import dns.rdatatype
import dns.resolver
from dns.rdtypes.IN.SRV import SRV

from storagebox.balance.endpoint import Endpoint
from storagebox.balance.resolver import Publish
from storagebox.balance.resolver.backoff import Backoff
from storagebox.balance.resolver.faults import Faults, Read
from storagebox.balance.resolver.holding import GRACE_S, Holding

LIFETIME_S = 5.0
"""For one question, all its repetitions included."""
MIN_TTL_S = 5.0
"""Nobody is asked more often, whatever the time to live: Consul's is 0."""
JITTER = 0.1
PAYLOAD_BYTES = 8192
"""What answers by UDP may take. Consul cuts longer ones off without saying so: at 512 bytes it
tells three servers of any number."""
_FAMILIES = {"any": ("A", "AAAA"), "ipv4": ("A",), "ipv6": ("AAAA",)}


@dataclass(frozen=True, slots=True)
class DnsSettings:
    """Whom to ask, and how often.

    Args:
        servers: addresses of name servers; those of the system if empty.
        port: theirs.
        tcp: ask by TCP, which has no limit to how many servers an answer tells.
        min_ttl_s: see MIN_TTL_S. Longer times to live are honoured, plus up to a tenth.
        grace_s: how long "no such name" must last.
    """

    servers: Sequence[str] = ()
    port: int = 53
    tcp: bool = False
    min_ttl_s: float = MIN_TTL_S
    grace_s: float = GRACE_S
    backoff: Backoff = field(default_factory=Backoff)
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Addresses:
    """Every address of a name, at one port.

    Args:
        name: fully qualified; search domains aren't tried.
        port: 1 to 65535.
        family: `any`, `ipv4` or `ipv6`. With `any`, a server of two families is two endpoints:
            name those that have both twice only if they answer on both.
    """

    name: str
    port: int
    family: str = "any"
    settings: DnsSettings = field(default_factory=DnsSettings)

    async def watch(self, publish: Publish) -> None:
        if self.family not in _FAMILIES:
            raise ValueError(f"family {self.family!r} is none of {', '.join(_FAMILIES)}")
        Endpoint(self.name, self.port)
        await _follow(self.name, self.settings, publish, self._look)

    async def _look(self, asking: "Questions") -> tuple[Read, float]:
        endpoints: list[Endpoint] = []
        ttl_s = math.inf
        for kind in _FAMILIES[self.family]:
            found, kind_ttl_s = await asking.addresses(self.name, kind)
            endpoints += [Endpoint(address, self.port) for address in found]
            if found:
                ttl_s = min(ttl_s, kind_ttl_s)
        return (endpoints, []), 0.0 if math.isinf(ttl_s) else ttl_s


@dataclass(frozen=True, slots=True)
class Services:
    """What the SRV records of a name tell: hosts, ports and weights.

    Only the records of the lowest priority number count. Weight 0 among others that aren't 0
    drains, as Consul means it and HAProxy reads it; where all are 0, nobody knows the weights
    (RFC 2782). An endpoint's id is `target:port`, so a server keeps it at another address; of a
    target with several addresses the lowest counts, IPv4 before IPv6.

    Args:
        name: such as `_search._tcp.service.consul`.
    """

    name: str
    settings: DnsSettings = field(default_factory=DnsSettings)

    async def watch(self, publish: Publish) -> None:
        await _follow(self.name, self.settings, publish, self._look)

    async def _look(self, asking: "Questions") -> tuple[Read, float]:
        answer = await asking.ask(self.name, "SRV")
        if answer is None:
            return ([], []), 0.0
        records, ttl_s = _records(answer), float(answer.chaining_result.minimum_ttl)
        told: list[tuple[SRV, str | None]] = []
        for record in records:
            address = _additional(answer.response, record.target)
            if address is None and record.port and record.target != dns.name.root:
                address = await asking.first_address(record.target.to_text())
            told.append((record, address))
        return served(told), ttl_s


def served(records: Sequence[tuple[SRV, str | None]]) -> Read:
    """Endpoints of SRV records with their targets' addresses, `None` where there is none."""
    lowest = min((record.priority for record, _ in records), default=0)
    weighed = any(record.weight for record, _ in records if record.priority == lowest)
    endpoints: list[Endpoint] = []
    dropped: list[str] = []
    for record, address in records:
        if record.priority != lowest:
            continue
        target = record.target.to_text(omit_final_dot=True)
        if record.target == dns.name.root or address is None:  # the root: "no such service here"
            dropped.append(f"{target}: it has no address")
            continue
        try:
            endpoints.append(
                Endpoint(
                    address,
                    record.port,
                    weight=record.weight if weighed else None,
                    id=f"{target}:{record.port}",
                )
            )
        except ValueError as fault:
            dropped.append(f"{target}: {fault}")
    return endpoints, dropped


class Questions:
    """Questions to name servers. `None` and nothing are answers; what fails raises."""

    def __init__(self, settings: DnsSettings) -> None:
        self._tcp = settings.tcp
        self._resolver = dns.asyncresolver.Resolver(configure=not settings.servers)
        if settings.servers:
            self._resolver.nameservers = list(settings.servers)
            self._resolver.port = settings.port
        self._resolver.use_edns(0, 0, PAYLOAD_BYTES)

    async def ask(self, name: str, kind: str) -> dns.resolver.Answer | None:
        """An answer with records in it, or `None` if there are none or no such name.

        Raises:
            dns.exception.DNSException: nobody answers, or not with that.
        """
        try:
            return await self._resolver.resolve(
                name, kind, tcp=self._tcp, search=False, lifetime=LIFETIME_S
            )
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return None

    async def addresses(self, name: str, kind: str) -> tuple[list[str], float]:
        """Addresses of a name, and for how long they hold."""
        answer = await self.ask(name, kind)
        if answer is None:
            return [], 0.0
        return [record.to_text() for record in answer], float(answer.chaining_result.minimum_ttl)

    async def first_address(self, name: str) -> str | None:
        """The lowest address of a name, IPv4 before IPv6."""
        for kind in _FAMILIES["any"]:
            found, _ = await self.addresses(name, kind)
            if found:
                return min(found)
        return None


_Look = Callable[[Questions], Awaitable[tuple[Read, float]]]


async def _follow(name: str, settings: DnsSettings, publish: Publish, look: _Look) -> None:
    random = Random(settings.seed)
    faults = Faults(f"DNS for {name}")
    try:
        asking = Questions(settings)
        dns.name.from_text(name)
    except (dns.exception.DNSException, ValueError) as fault:
        raise ValueError(f"DNS for {name!r}: {fault}: see the name and the servers") from None
    holding = Holding(publish, settings.grace_s, asyncio.get_running_loop().call_later)
    failures = 0
    try:
        while True:
            try:
                (endpoints, dropped), ttl_s = await look(asking)
            except (dns.exception.DNSException, OSError) as fault:
                failures += 1
                wait_s = settings.backoff.wait_s(failures, random)
                faults.failed(str(fault) or type(fault).__name__, wait_s)
            else:
                failures = 0
                faults.answered()
                faults.dropped(dropped)
                holding.see(endpoints)
                wait_s = max(settings.min_ttl_s, ttl_s) * (1 + JITTER * random.random())
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                # dnspython uses wait_for, which before Python 3.12 loses a cancellation that comes
                # in the instant of an answer.
                raise asyncio.CancelledError
            await asyncio.sleep(wait_s)
    finally:
        holding.close()


def _records(answer: dns.resolver.Answer) -> list[SRV]:
    return [record for record in answer if isinstance(record, SRV)]


def _additional(response: dns.message.Message, target: dns.name.Name) -> str | None:
    for kind in (dns.rdatatype.A, dns.rdatatype.AAAA):
        found = [
            record.to_text()
            for rrset in response.additional
            if rrset.name == target and rrset.rdtype == kind
            for record in rrset
        ]
        if found:
            return min(found)
    return None
