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

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from .answers import DATACENTER
from .catalog import Catalog, Instance
from .definitions import CRITICAL

DOMAIN: Final = "consul"
_TTL_S: Final = 0
_PRIORITY: Final = 1
_PLAIN_UDP_BYTES: Final = 512
_MOST_UDP_BYTES: Final = 8192
MOST_TCP_BYTES: Final = 65535
_SOA_TIMES_S: Final = "3600 600 86400 0"  # refresh, retry, expire, minimum
_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)
_A, _AAAA = dns.rdatatype.A, dns.rdatatype.AAAA
_SRV, _SOA, _NS = dns.rdatatype.SRV, dns.rdatatype.SOA, dns.rdatatype.NS

Shuffle = Callable[[list[Any]], object]
Kind = dns.rdatatype.RdataType


@dataclass
class Found:
    """Records of an answer; unless it `exists`, there is no such name."""

    answers: list[str] = field(default_factory=list[str])  # of the asked kind, as text
    additional: list[dns.rrset.RRset] = field(default_factory=list[dns.rrset.RRset])
    exists: bool = True


def answer(question: bytes, catalog: Catalog, shuffle: Shuffle, *, tcp: bool) -> bytes | None:
    """The answer to a question as it came; None if there is nothing to answer to."""
    if len(question) < 12 or question[2] & 0x80:
        return None
    try:
        asked = dns.message.from_wire(question)
    except Exception:  # the library's own errors are but some of what garbage can cause
        return _malformed(question)
    reply = dns.message.make_response(asked, our_payload=_MOST_UDP_BYTES)
    limit = MOST_TCP_BYTES if tcp else _PLAIN_UDP_BYTES
    if asked.edns >= 0 and not tcp:
        limit = min(max(asked.payload, _PLAIN_UDP_BYTES), _MOST_UDP_BYTES)
    if asked.opcode() != dns.opcode.QUERY or len(asked.question) != 1:
        other = asked.opcode() != dns.opcode.QUERY
        reply.set_rcode(dns.rcode.NOTIMP if other else dns.rcode.FORMERR)
    elif asked.edns > 0:
        reply.use_edns(0, payload=_MOST_UDP_BYTES)
        reply.set_rcode(dns.rcode.BADVERS)
    else:
        _fill(reply, catalog, shuffle, limit)
    return reply.to_wire(max_size=limit, prefer_truncation=True)


def _malformed(question: bytes) -> bytes:
    reply = dns.message.Message(id=int.from_bytes(question[:2], "big"))
    reply.flags = dns.flags.QR
    reply.set_rcode(dns.rcode.FORMERR)
    return reply.to_wire()


def _fill(reply: dns.message.Message, catalog: Catalog, shuffle: Shuffle, limit: int) -> None:
    asked = reply.question[0]
    name, kind = asked.name, asked.rdtype
    labels = [label.decode("latin-1").lower() for label in name.labels if label]
    here = asked.rdclass in (dns.rdataclass.IN, dns.rdataclass.ANY)
    if not here or not labels or labels[-1] != DOMAIN:
        reply.set_rcode(dns.rcode.REFUSED)
        return
    reply.flags |= dns.flags.AA
    found = _look(labels[:-1], kind, catalog, shuffle)
    if not found.exists:
        reply.set_rcode(dns.rcode.NXDOMAIN)
    if not found.answers:
        reply.authority.append(_records(f"{DOMAIN}.", _SOA, [_authority(catalog)]))
        return
    _fit(reply, [_of_kind(text, kind) for text in found.answers], limit)
    if not reply.flags & dns.flags.TC:
        reply.additional = found.additional  # those that don't fit are left out by `to_wire`


def _fit(reply: dns.message.Message, answers: Sequence[tuple[Kind, str]], limit: int) -> None:
    """As many answers as fit; TC if these aren't all."""
    name = reply.question[0].name

    def fits(count: int) -> bool:
        by_kind: dict[Kind, list[str]] = {}
        for kind, text in answers[:count]:
            by_kind.setdefault(kind, []).append(text)
        reply.answer = [_records(name, kind, texts) for kind, texts in by_kind.items()]
        try:
            reply.to_wire(max_size=limit)
        except dns.exception.TooBig:
            return False
        return True

    if fits(len(answers)):
        return
    reply.flags |= dns.flags.TC
    low, high = 0, len(answers)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    fits(low)


def _of_kind(text: str, kind: Kind) -> tuple[Kind, str]:
    """An answer to ANY is an address of one of both kinds."""
    if kind == dns.rdatatype.ANY:
        return (_AAAA if ":" in text else _A), text
    return kind, text


def _records(name: str | dns.name.Name, kind: Kind, texts: Sequence[str]) -> dns.rrset.RRset:
    return dns.rrset.from_text_list(name, _TTL_S, dns.rdataclass.IN, kind, texts)


# Names


def _look(labels: Sequence[str], kind: Kind, catalog: Catalog, shuffle: Shuffle) -> Found:
    if not labels:
        return _apex(kind, catalog)
    place = list(labels[:-1] if labels[-1] == DATACENTER else labels)
    what, rest = (place[-1], place[:-1]) if place else ("", [])
    if what == "service" and rest:
        return _service(rest, kind, catalog, shuffle)
    if what == "node" and rest:
        held = catalog.node(".".join(rest))
        return Found(_addresses([held.node.value.address], kind)) if held else _NOTHING
    if what == "addr" and len(rest) == 1:
        address = _unhexed(rest[0])
        return Found(_addresses([address], kind)) if address else _NOTHING
    return _NOTHING


_NOTHING: Final = Found(exists=False)


def _apex(kind: Kind, catalog: Catalog) -> Found:
    if kind == _SOA:
        return Found([_authority(catalog)])
    return Found([f"ns.{DOMAIN}."] if kind == _NS else [])


def _service(labels: list[str], kind: Kind, catalog: Catalog, shuffle: Shuffle) -> Found:
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
        return _NOTHING
    shuffle(instances)
    if kind == _SRV:
        return _service_records(instances)
    return Found(_addresses([instance.address for instance in instances], kind))


def _service_records(instances: Sequence[Instance]) -> Found:
    found = Found()
    told: set[str] = set()
    for instance in instances:
        target, port = _target(instance), instance.service.value.port
        # A port beyond 16 bits is registered without complaint, and can't be told.
        if target is None or not 0 <= port <= 65535:
            continue
        found.answers.append(f"{_PRIORITY} {instance.weight} {port} {target}")
        if target not in told:
            told.add(target)
            for kind in (_A, _AAAA):
                addresses = _addresses([instance.address], kind)
                if addresses:
                    found.additional.append(_records(target, kind, addresses))
    return found


def _target(instance: Instance) -> str | None:
    """The name of where an instance is reached; None if there is none."""
    node = instance.node.value
    if not instance.service.value.address and _LABEL.fullmatch(node.name):
        return f"{node.name}.node.{DATACENTER}.{DOMAIN}."
    try:
        packed = ipaddress.ip_address(instance.address).packed
    except ValueError:
        labels = instance.address.rstrip(".").split(".")
        fits = len(instance.address) < 254 and all(map(_LABEL.fullmatch, labels))
        return f"{'.'.join(labels)}." if fits else None
    return f"{packed.hex()}.addr.{DATACENTER}.{DOMAIN}."


def _addresses(hosts: Sequence[str], kind: Kind) -> list[str]:
    """Those of hosts that are addresses of a kind, or of any."""
    found: dict[str, None] = {}
    for host in hosts:
        try:
            address = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            continue
        if kind in (dns.rdatatype.ANY, _A if address.version == 4 else _AAAA):
            found[str(address)] = None
    return list(found)


def _unhexed(text: str) -> str | None:
    try:
        packed = bytes.fromhex(text)
    except ValueError:
        return None
    families = {4: socket.AF_INET, 16: socket.AF_INET6}
    return socket.inet_ntop(families[len(packed)], packed) if len(packed) in families else None


def _authority(catalog: Catalog) -> str:
    serial = catalog.latest % 2**32
    return f"ns.{DOMAIN}. hostmaster.{DOMAIN}. {serial} {_SOA_TIMES_S}"
