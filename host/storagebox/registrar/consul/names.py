"""DNS as a question and its answer, bytes to bytes: which names there are, and what fits.

    search.service.consul, _search._tcp.service.consul      SRV, A, AAAA of a service
    tag.search.service.consul, _search._tag.service.consul  those with a tag
    NODE.node.consul, 7f000001.addr.consul                  A, AAAA; where SRV records point
    (each also with .dc1 before .consul)

Source: RFC 1035, 2782 (SRV), 6891 (EDNS), and what Consul's own responder does; but what doesn't
fit is told by TC, never left out in silence.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from dnslib import (
    AAAA,
    CLASS,
    EDNS0,
    NS,
    QTYPE,
    RCODE,
    RR,
    SOA,
    SRV,
    A,
    DNSHeader,
    DNSLabel,
    DNSRecord,
)

from .answers import DATACENTER
from .catalog import Catalog, Instance
from .definitions import CRITICAL

DOMAIN: Final = "consul"
_TTL_S: Final = 0
_PRIORITY: Final = 1
_PLAIN_UDP_BYTES: Final = 512
_MOST_UDP_BYTES: Final = 8192
MOST_TCP_BYTES: Final = 65535
_SOA_TIMES_S: Final = (3600, 600, 86400, 0)  # refresh, retry, expire, minimum
_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)
_ADDRESSES: Final = (QTYPE.A, QTYPE.AAAA)
_BAD_VERSION: Final = 1  # BADVERS is 16: the header's four bits are zero

Shuffle = Callable[[list[Any]], object]


@dataclass
class Found:
    """Records of an answer; None of `exists`: there is no such name."""

    answers: list[RR] = field(default_factory=list[RR])
    additional: list[RR] = field(default_factory=list[RR])
    exists: bool = True


def answer(question: bytes, catalog: Catalog, shuffle: Shuffle, *, tcp: bool) -> bytes | None:
    """The answer to a question as it came; None if there is nothing to answer to."""
    try:
        asked = DNSRecord.parse(question)
    except Exception:  # the library's own errors are but some of what garbage can cause
        return _malformed(question)
    if asked.header.qr:
        return None
    reply = DNSRecord(
        DNSHeader(id=asked.header.id, qr=1, aa=1, ra=0, rd=asked.header.rd), questions=[]
    )
    limit = MOST_TCP_BYTES if tcp else _PLAIN_UDP_BYTES
    if asked.header.opcode != 0 or len(asked.questions) != 1:
        reply.header.rcode = RCODE.NOTIMP if asked.header.opcode else RCODE.FORMERR
        return bytes(reply.pack())
    reply.add_question(asked.questions[0])
    options = [record for record in asked.ar if record.rtype == QTYPE.OPT]
    if options:
        if not tcp:
            limit = min(max(options[0].edns_len, _PLAIN_UDP_BYTES), _MOST_UDP_BYTES)
        bad = options[0].edns_ver != 0
        reply.add_ar(EDNS0(udp_len=_MOST_UDP_BYTES, ext_rcode=_BAD_VERSION if bad else 0))
        if bad:
            return bytes(reply.pack())
    _fill(reply, asked.questions[0], catalog, shuffle, limit)
    return bytes(reply.pack())


def _malformed(question: bytes) -> bytes | None:
    if len(question) < 12 or question[2] & 0x80:
        return None
    number = int.from_bytes(question[:2], "big")
    return bytes(DNSRecord(DNSHeader(id=number, qr=1, ra=0, rcode=RCODE.FORMERR)).pack())


def _fill(reply: DNSRecord, question: Any, catalog: Catalog, shuffle: Shuffle, limit: int) -> None:
    labels = [label.decode("latin-1").lower() for label in question.qname.label]
    if question.qclass not in (CLASS.IN, 255) or not labels or labels[-1] != DOMAIN:
        reply.header.aa = 0
        reply.header.rcode = RCODE.REFUSED
        return
    found = _look(labels[:-1], question.qtype, question.qname, catalog, shuffle)
    if not found.exists:
        reply.header.rcode = RCODE.NXDOMAIN
    if not found.answers:
        reply.add_auth(_authority(catalog))
        return
    _fit(reply, found, limit)


def _fit(reply: DNSRecord, found: Found, limit: int) -> None:
    """As many records as fit; TC if these aren't all answers."""
    options = list(reply.ar)

    def size(answers: int, additional: int) -> int:
        reply.rr = found.answers[:answers]
        reply.ar = [*options, *found.additional[:additional]]
        return len(reply.pack())

    answers = _most(len(found.answers), lambda count: size(count, 0) <= limit)
    additional = 0
    if answers == len(found.answers):
        additional = _most(len(found.additional), lambda count: size(answers, count) <= limit)
    else:
        reply.header.tc = 1
    size(answers, additional)


def _most(count: int, fits: Callable[[int], bool]) -> int:
    """The largest number up to `count` that fits, if fewer always do."""
    if fits(count):
        return count
    low, high = 0, count
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


# Names


def _look(
    labels: Sequence[str], kind: int, name: DNSLabel, catalog: Catalog, shuffle: Shuffle
) -> Found:
    if not labels:
        return _apex(kind, catalog)
    place = list(labels[:-1] if labels[-1] == DATACENTER else labels)
    what, rest = (place[-1], place[:-1]) if place else ("", [])
    if what == "service" and rest:
        return _service(rest, kind, name, catalog, shuffle)
    if what == "node" and rest:
        held = catalog.node(".".join(rest))
        return _addresses([held.node.value.address], kind, name) if held else Found(exists=False)
    if what == "addr" and len(rest) == 1:
        address = _unhexed(rest[0])
        return _addresses([address], kind, name) if address else Found(exists=False)
    return Found(exists=False)


def _apex(kind: int, catalog: Catalog) -> Found:
    if kind == QTYPE.SOA:
        return Found([_authority(catalog)])
    if kind == QTYPE.NS:
        return Found([RR(DOMAIN, QTYPE.NS, ttl=_TTL_S, rdata=NS(f"ns.{DOMAIN}"))])
    return Found()


def _service(
    labels: list[str], kind: int, name: DNSLabel, catalog: Catalog, shuffle: Shuffle
) -> Found:
    tag = ""
    if len(labels) == 2 and labels[0].startswith("_") and labels[1].startswith("_"):
        service, protocol = labels[0][1:], labels[1][1:]
        tag = "" if protocol in ("tcp", "udp") else protocol
    else:
        service, tag = labels[-1], ".".join(labels[:-1])
    instances = [
        instance
        for instance in catalog.instances(service)
        if instance.status != CRITICAL
        and (not tag or tag in (each.lower() for each in instance.service.value.tags))
    ]
    if not instances:
        return Found(exists=False)
    shuffle(instances)
    if kind == QTYPE.SRV:
        return _service_records(instances, name)
    return _addresses([instance.address for instance in instances], kind, name)


def _service_records(instances: Sequence[Instance], name: DNSLabel) -> Found:
    found = Found()
    told: set[str] = set()
    for instance in instances:
        target = _target(instance)
        # A port beyond 16 bits is registered without complaint, and can't be told.
        if target is None or not 0 <= instance.service.value.port <= 65535:
            continue
        record = SRV(_PRIORITY, instance.weight, instance.service.value.port, target)
        found.answers.append(RR(name, QTYPE.SRV, ttl=_TTL_S, rdata=record))
        if target not in told:
            told.add(target)
            found.additional += _records([instance.address], _ADDRESSES, DNSLabel(target))
    return found


def _target(instance: Instance) -> str | None:
    """The name of where an instance is reached; None if there is none."""
    node = instance.node.value
    if not instance.service.value.address and _LABEL.fullmatch(node.name):
        return f"{node.name}.node.{DATACENTER}.{DOMAIN}"
    try:
        packed = ipaddress.ip_address(instance.address).packed
    except ValueError:
        labels = instance.address.rstrip(".").split(".")
        fits = len(instance.address) < 254 and all(map(_LABEL.fullmatch, labels))
        return instance.address if fits else None
    return f"{packed.hex()}.addr.{DATACENTER}.{DOMAIN}"


def _addresses(hosts: Sequence[str], kind: int, name: DNSLabel) -> Found:
    kinds = _ADDRESSES if kind == QTYPE.ANY else (kind,)
    return Found(_records(list(dict.fromkeys(hosts)), kinds, name))


def _records(hosts: Sequence[str], kinds: Sequence[int], name: DNSLabel) -> list[RR]:
    found: list[RR] = []
    for host in hosts:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            continue
        if address.version == 4 and QTYPE.A in kinds:
            found.append(RR(name, QTYPE.A, ttl=_TTL_S, rdata=A(str(address))))
        elif address.version == 6 and QTYPE.AAAA in kinds:
            packed = tuple(address.packed)
            found.append(RR(name, QTYPE.AAAA, ttl=_TTL_S, rdata=AAAA(packed)))
    return found


def _unhexed(text: str) -> str | None:
    try:
        packed = bytes.fromhex(text)
    except ValueError:
        return None
    families = {4: socket.AF_INET, 16: socket.AF_INET6}
    return socket.inet_ntop(families[len(packed)], packed) if len(packed) in families else None


def _authority(catalog: Catalog) -> RR:
    serial = catalog.latest % 2**32
    rdata = SOA(f"ns.{DOMAIN}", f"hostmaster.{DOMAIN}", (serial, *_SOA_TIMES_S))
    return RR(DOMAIN, QTYPE.SOA, ttl=_TTL_S, rdata=rdata)
