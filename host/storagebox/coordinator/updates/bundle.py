"""A bundle: one version of the boards' code, for one architecture.

It is a manifest (`phantom.manifest`), unsigned, and then the bytes of its files in its order. The
box signs it anew for each board and occasion; a bundle itself proves nothing, and is as
trustworthy as the place it comes from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from phantom import manifest

SUFFIX = ".phantom"
_END = b"\ncrc32 "
# After the end's beginning: 8 hex digits and a line's end.
_SEAL_BYTES = 9


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
        """Whether a board of this name can run it."""
        fits_board = self.board in (manifest.ANY_BOARD, board)
        return fits_board and self.arch in (manifest.BYTECODE, arch)

    def signed(self, key: bytes, nonce: str, *, force: bool) -> bytes:
        """The manifest for one board and one occasion; `force` as the board is to take it."""
        return manifest.sign(self.text, key, nonce, force)

    def content(self, wanted: Sequence[int]) -> bytes:
        """The bytes of these files. Raises IndexError for a number of none."""
        return b"".join(self.files[number] for number in wanted)


def read(path: Path) -> Bundle:
    """The bundle in a file. Raises BundleError."""
    try:
        size = path.stat().st_size
        if size > manifest.MAX_BYTES + manifest.MAX_TOTAL_BYTES:
            raise BundleError(f"{path}: {size} bytes are too many for a bundle")
        octets = path.read_bytes()
    except OSError as fault:
        raise BundleError(f"{path}: {fault.strerror}") from None
    end = octets.find(_END, 0, manifest.MAX_BYTES) + len(_END) + _SEAL_BYTES
    try:
        found = manifest.parse(octets[:end])
    except manifest.ManifestError as fault:
        raise BundleError(f"{path}: no bundle: {fault}; make it by `phantom bundle`") from None
    files: list[bytes] = []
    for digest, length, name in found.files:
        content = octets[end : end + length]
        end += length
        if len(content) != length or hashlib.sha256(content).digest() != digest:
            raise BundleError(f"{path}: {name} in it is damaged or cut short: make it again")
        files.append(content)
    if end != len(octets):
        raise BundleError(f"{path}: {len(octets) - end} bytes too many: make it again")
    return Bundle(
        found.version, found.board, found.arch, octets[: _text_end(octets)], tuple(files)
    )


def _text_end(octets: bytes) -> int:
    return octets.find(_END) + len(_END) + _SEAL_BYTES
