"""Bodies as they travel: an answer packed for who takes it so, a request's unpacked up to a limit.

gzip only, both ways: it is in the standard library, every client speaks it, and what brotli or
zstd would save beyond it is not worth a dependency on a home's network.
"""

from __future__ import annotations

import zlib
from typing import Final

from storagebox.search.writes.refused import Refused

# A smaller answer is one packet either way.
WORTH_BYTES: Final = 1024
# Beyond these, it is work for a thread. A packed byte may stand for a thousand.
LONG_BYTES: Final = 64 << 10
LONG_PACKED_BYTES: Final = 1024
# What better levels save beyond it isn't worth the processor's time; see docs/search-server.md.
_LEVEL: Final = 1
_GZIP: Final = 31  # zlib's wbits
_GZIP_OR_ZLIB: Final = 47
_KNOWN: Final = ("gzip", "x-gzip", "deflate")


def taken(accept_encoding: str) -> bool:
    """Whether who sent this header takes gzip (RFC 9110, 12.5.3)."""
    wanted: dict[str, bool] = {}
    for part in accept_encoding.lower().split(","):
        name, _, parameter = part.partition(";")
        quality = parameter.strip().removeprefix("q=").strip()
        wanted[name.strip()] = not quality or bool(quality.strip("0."))  # 0 and 0.000 are none
    return wanted.get("gzip", wanted.get("x-gzip", wanted.get("*", False)))


def packed(data: bytes) -> bytes:
    """As gzip."""
    return zlib.compress(data, _LEVEL, _GZIP)


def check(encoding: str) -> bool:
    """Whether a body is packed. Raises Refused if it is in no way that is known here."""
    if not encoding or encoding == "identity":
        return False
    if encoding not in _KNOWN:
        raise Refused(f"Content-Encoding {encoding:.40} is not understood: use gzip", 415)
    return True


def unpacked(data: bytes, limit: int) -> bytes:
    """What was packed. Raises Refused for rubbish, and as soon as it is over `limit` bytes."""
    unpack = zlib.decompressobj(wbits=_GZIP_OR_ZLIB)
    try:
        result = unpack.decompress(data, limit + 1)
    except zlib.error as fault:
        raise Refused(f"the body can't be decompressed: {fault}") from None
    if len(result) > limit:
        raise too_long(limit)
    if not unpack.eof:
        raise Refused("the body can't be decompressed: it ends early")
    if unpack.unused_data:  # a second part, each time the rest copied, would be a bomb of its own
        raise Refused("the body can't be decompressed: there is more after its end")
    return result


def too_long(limit: int) -> Refused:
    """What a body of more than `limit` bytes is answered."""
    return Refused(f"the body is over {limit} bytes: cut it up", 413)
