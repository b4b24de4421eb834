"""A bundle: one version of the boards' code, for one architecture.

It is a manifest (`phantom.manifest`), unsigned, and then the bytes of its files in its order. The
box signs it anew for each board and occasion; a bundle itself proves nothing, and is as
trustworthy as the place it comes from.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from phantom import manifest

SUFFIX = ".phantom"
_LAST_LINE = b"\ncrc32 "
_LAST_LINE_BYTES = len(_LAST_LINE) + 9  # and 8 hex digits, and its end


class BundleError(ValueError):
    """A file is no bundle; one line for people."""


@dataclass(frozen=True)
class Bundle:
    """Read by `read`; whole and consistent."""

    version: str
    board: str
    arch: str
    text: bytes  # the manifest
    files: tuple[bytes, ...]

    def fits(self, board: str, arch: str) -> bool:
        """Whether a board of this kind and architecture can run it."""
        fits_board = self.board in (manifest.ANY_BOARD, board)
        return fits_board and self.arch in (manifest.BYTECODE, arch)

    def signed(self, key: bytes, nonce: str, *, force: bool) -> bytes:
        """The manifest for one board and one occasion; `force` as the board is to take it."""
        return manifest.sign(self.text, key, nonce, force)

    def content(self, wanted: Any) -> bytes | None:
        """The bytes of these files, numbers as a board has listed them; None if that is no list
        of numbers of files."""
        if not isinstance(wanted, list):
            return None
        numbers = [n for n in cast("list[Any]", wanted) if type(n) is int]
        known = all(0 <= number < len(self.files) for number in numbers)
        if not known or len(numbers) != len(cast("list[Any]", wanted)):
            return None
        return b"".join(self.files[number] for number in numbers)


def read(path: Path) -> Bundle:
    """The bundle in a file. Raises BundleError."""
    try:
        size = path.stat().st_size
        if size > manifest.MAX_BYTES + manifest.MAX_TOTAL_BYTES:
            raise BundleError(f"{path}: {size} bytes are too many for a bundle")
        octets = path.read_bytes()
    except OSError as fault:
        raise BundleError(f"{path}: {fault.strerror}") from None
    end = octets.find(_LAST_LINE, 0, manifest.MAX_BYTES) + _LAST_LINE_BYTES
    text = octets[:end]
    try:
        found = manifest.parse(text)
    except manifest.ManifestError as fault:
        raise BundleError(f"{path}: no bundle: {fault}; make it by `phantom bundle`") from None
    files: list[bytes] = []
    for digest, length, name in found.files:
        content = octets[end : end + length]
        end += length
        if hashlib.sha256(content).digest() != digest:
            raise BundleError(f"{path}: {name} in it is damaged or cut short: make it again")
        files.append(content)
    if end != len(octets):
        raise BundleError(f"{path}: {len(octets) - end} bytes too many: make it again")
    return Bundle(found.version, found.board, found.arch, text, tuple(files))
