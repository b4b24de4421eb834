"""Manifests of code slots as flashers and bundles have them: unsigned.

`phantom.manifest` tells their form, reads and signs them; `firmware/loader.py` reads them at a
board's start.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from zlib import crc32

from phantom.manifest import ANY_BOARD, BYTECODE, MAGIC


def write(
    files: Mapping[str, bytes], version: str, arch: str | None, board: str = ANY_BOARD
) -> bytes:
    """The manifest of files by name, which it lists in the order of their names.

    arch: what their native code is for, None for bytecode alone.
    """
    lines = [MAGIC, f"version {version}", f"board {board}", f"arch {arch or BYTECODE}"]
    for name in sorted(files):
        digest = hashlib.sha256(files[name]).hexdigest()
        lines.append(f"file {digest} {len(files[name])} {name}")
    body = "\n".join([*lines, "hmac -", ""]).encode()
    return body + b"crc32 %08x\n" % crc32(body)
