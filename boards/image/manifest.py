"""Manifests of code slots: which files, how large, with which SHA-256; docs/update.md.

    phantom-manifest 1
    version 0.1.0
    board esp32_generic_s3
    arch xtensawin
    file <64 hex digits> <bytes> phantom/rpc.mpy
    hmac <64 hex digits>
    crc32 <8 hex digits>

The HMAC authenticates the lines before it under an installation's key; what a flasher writes has
"hmac -". The CRC-32 tells whoever has no key whether the lines before it are whole.
`firmware/loader.py` reads the same on a board.
"""

from __future__ import annotations

import hashlib
import hmac
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

NAME = "manifest"
MAGIC = "phantom-manifest 1"
ANY_BOARD = "*"
BYTECODE = "bytecode"  # the arch of a slot without native code
UNSIGNED = "-"


class ManifestError(ValueError):
    """A text that is no manifest."""


@dataclass(frozen=True)
class Entry:
    """A file of a slot. digest: SHA-256, hex. size: bytes. name: relative to the slot."""

    digest: str
    size: int
    name: str


@dataclass(frozen=True)
class Manifest:
    """What a slot holds, in the order in which an update sends it."""

    version: str
    board: str
    arch: str
    entries: tuple[Entry, ...]

    @classmethod
    def of(
        cls, files: Mapping[str, bytes], version: str, arch: str | None, board: str = ANY_BOARD
    ) -> Manifest:
        """The manifest of `files` by name."""
        entries = (
            Entry(hashlib.sha256(files[name]).hexdigest(), len(files[name]), name)
            for name in sorted(files)
        )
        return cls(version, board, arch or BYTECODE, tuple(entries))

    def pack(self, key: bytes | None = None) -> bytes:
        """As it is written; with an installation's key, authenticated under it."""
        lines = [MAGIC, f"version {self.version}", f"board {self.board}", f"arch {self.arch}"]
        lines += [f"file {e.digest} {e.size} {e.name}" for e in self.entries]
        body = "".join(f"{line}\n" for line in lines).encode()
        seal = hmac.new(key, body, hashlib.sha256).hexdigest() if key is not None else UNSIGNED
        body += f"hmac {seal}\n".encode()
        return body + _seal(body)

    @classmethod
    def parse(cls, packed: bytes) -> Manifest:
        """The manifest in a file; its HMAC is not looked at. Raises ManifestError."""
        try:
            lines = packed.decode().splitlines()
            if lines[0] != MAGIC or not lines[-2].startswith("hmac "):
                raise ManifestError("no manifest of a code slot, or one that is cut short")
            body = packed[: packed.rindex(b"crc32 ")]
            if packed != body + _seal(body):
                raise ManifestError("a damaged manifest of a code slot (wrong checksum)")
            head = dict(line.split(" ", 1) for line in lines[1:4])
            entries = [_entry(line) for line in lines[4:-2]]
            return cls(head["version"], head["board"], head["arch"], tuple(entries))
        except ManifestError:
            raise
        except (KeyError, IndexError, TypeError, ValueError) as fault:
            raise ManifestError(f"a damaged manifest of a code slot ({fault!r})") from None


def _seal(body: bytes) -> bytes:
    return f"crc32 {zlib.crc32(body):08x}\n".encode()


def _entry(line: str) -> Entry:
    try:
        kind, digest, size, name = line.split(" ", 3)
        if kind == "file":
            return Entry(digest, int(size), name)
    except ValueError:
        pass
    raise ManifestError(f"a damaged manifest of a code slot: {line!r}")
