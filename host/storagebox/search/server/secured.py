"""Secured keys: a client signs restrictions with a key of its own, and nobody registers them.

A secured key is base64(hex(HMAC-SHA256(parent, restrictions)) + restrictions), restrictions being
URL-encoded parameters. The signature is over the bytes as they came: encoding them anew might
differ from what was signed.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple
from urllib.parse import quote, urlencode

from storagebox.search.writes.keys import Key

_SIGNATURE_BYTES: Final = 64
# A secured key travels in headers and addresses, which are no longer than that.
_MAX_BYTES: Final = 16 << 10


class Secured(NamedTuple):
    """A secured key that was made with `parent`: what it adds, URL-encoded."""

    parent: Key
    restrictions: str


def same(given: str, secret: str) -> bool:
    """Whether a secret was given, in a time that tells nothing of how much of it was right."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), secret.encode())


def sign(parent: str, restrictions: Mapping[str, object]) -> str:
    """A secured key of the key `parent`, as Algolia's clients make them."""
    encoded = urlencode(sorted(restrictions.items()), quote_via=quote)
    signature = hmac.new(parent.encode(), encoded.encode(), "sha256").hexdigest()
    return base64.b64encode((signature + encoded).encode()).decode("ascii")


def verify(value: str, parents: Iterable[Key]) -> Secured | None:
    """What a secured key says, if one of `parents` has signed it."""
    if not _SIGNATURE_BYTES < len(value) <= _MAX_BYTES:
        return None
    try:
        decoded = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None
    signature, signed = decoded[:_SIGNATURE_BYTES], decoded[_SIGNATURE_BYTES:]
    try:
        given, restrictions = bytes.fromhex(signature.decode("ascii")), signed.decode("utf-8")
    except ValueError:
        return None
    found: Key | None = None
    for parent in parents:
        digest = hmac.digest(parent.value.encode(), signed, "sha256")
        if hmac.compare_digest(digest, given):
            found = parent  # and go on: how long it takes tells nothing of which key it was
    return None if found is None else Secured(found, restrictions)
