"""Calls compiled viper functions as MicroPython's runtime calls them.

A native function is `fun(self, n_args, n_kw, args)` in the windowed ABI. It finds the runtime's
function table through its context's constants and calls it to check the number of arguments, to
turn objects into integers and pointers, and to turn the result back. Those few entries are
modelled here (numbers from MicroPython's py/nativeglue.h); any other is a MachineError, since a
kernel that needs it would look names up or allocate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import blocks, mpy
from .machine import CYCLES, INSTRUCTIONS, REGISTERS, Buffer, MachineError, Memory

# Indices into mp_fun_table.
_NONE, _NATIVE_FROM_OBJ, _NATIVE_TO_OBJ = 0, 3, 4
_ARG_CHECK_NUM_SIG, _FLOOR_DIVIDE, _MODULO = 44, 46, 47
_FUN_TABLE_WORDS = 80
_FUN_TABLE_CODE = 0x4000_0000  # entry i of the table points here + 4 * i
_TYPE_INT, _TYPE_UINT, _TYPES_POINTER = 2, 3, range(4, 8)

_HANDLE = 0x2000_0000  # object references: even, outside every mapped segment
_NONE_OBJECT = 0x1FFF_FFF0
_STACK_BYTES = 1024
_CLOBBERED = (8, 9, *range(11, 16))  # what a call leaves undefined of the caller's window
_POISON = 0xDEAD_BEEF


@dataclass(frozen=True)
class Skewed:
    """A view of `buffer` from the byte `offset` on, as a memoryview's slice is on a board."""

    buffer: Buffer
    offset: int


@dataclass(frozen=True)
class Cost:
    """What one call took; `runtime_calls` ran in the runtime and are not in the cycles."""

    instructions: int
    cycles: int
    runtime_calls: int


class Kernel:
    """One compiled viper function; call it with integers and writable buffers."""

    def __init__(self, name: str, code: bytes, fun_table_index: int) -> None:
        self.name = name
        self.code_bytes = len(code)
        self.last_cost = Cost(0, 0, 0)
        self._memory = Memory()
        instructions = blocks.decode(code)
        base = self._memory.map(code)
        self._entry = instructions[0].address
        self._blocks = blocks.translate(instructions, base)
        self._stack = bytearray(_STACK_BYTES)
        self._stack_end = self._memory.map(self._stack) + _STACK_BYTES
        self._self = self._map_context(fun_table_index)
        self._objects: list[Skewed] = []
        self._runtime_calls = 0

    def __call__(self, *arguments: int | Buffer | Skewed) -> int | None:
        """Run to the return; MachineError for anything a board would not survive."""
        self._objects = []
        self._runtime_calls = 0
        self._argument_count = len(arguments)
        words = b"".join(self._reference(item).to_bytes(4, "little") for item in arguments)
        registers = [_POISON] * 16 + [0] * (REGISTERS - 16)
        registers[1] = self._stack_end
        registers[2:6] = self._self, len(arguments), 0, self._memory.map(words)
        address: int | None = self._entry
        try:
            while address is not None:
                address = self._blocks[address](registers, self._memory, self._runtime)
        finally:
            self._memory.unmap_after(self._self)
        self.last_cost = Cost(registers[INSTRUCTIONS], registers[CYCLES], self._runtime_calls)
        return self._result(registers[2])

    def _map_context(self, fun_table_index: int) -> int:
        """Map the table and what leads to it; the address of the function object."""

        def words(*values: int) -> bytes:
            return b"".join(value.to_bytes(4, "little") for value in values)

        entries = [_FUN_TABLE_CODE + 4 * index for index in range(_FUN_TABLE_WORDS)]
        entries[_NONE] = _NONE_OBJECT
        table = self._memory.map(words(*entries))
        constants = self._memory.map(words(*[0] * fun_table_index, table))
        context = self._memory.map(words(0, 0, 0, constants))
        return self._memory.map(words(0, context))

    def _reference(self, argument: int | Buffer | Skewed) -> int:
        if isinstance(argument, int):
            if not -(1 << 30) <= argument < 1 << 30:
                raise MachineError(
                    f"{self.name}: argument {argument} is no small integer on a board"
                )
            return (argument << 1 | 1) & 0xFFFFFFFF
        self._objects.append(argument if isinstance(argument, Skewed) else Skewed(argument, 0))
        return _HANDLE + 16 * (len(self._objects) - 1)

    def _result(self, reference: int) -> int | None:
        if reference == _NONE_OBJECT:
            return None
        return ((reference ^ 1 << 31) - (1 << 31)) >> 1

    def _runtime(self, address: int, registers: list[int]) -> int:
        """callx8: run the table's entry on a10.., put its result into a10."""
        first, second = registers[10], registers[11]
        entry = address - _FUN_TABLE_CODE >> 2
        self._runtime_calls += 1
        if entry == _NATIVE_FROM_OBJ:
            result = self._native_from_obj(first, second & 0xF)
        elif entry == _NATIVE_TO_OBJ and second & 0xF == _TYPE_INT:
            result = self._reference((first ^ 1 << 31) - (1 << 31))
        elif entry in (_FLOOR_DIVIDE, _MODULO):
            pair = ((first ^ 1 << 31) - (1 << 31), (second ^ 1 << 31) - (1 << 31))
            result = divmod(*pair)[entry == _MODULO]
        elif entry == _ARG_CHECK_NUM_SIG:
            raise TypeError(f"{self.name}() does not take {self._argument_count} arguments")
        else:
            raise MachineError(f"{self.name} calls entry {entry} of the runtime's function table")
        for register in _CLOBBERED:
            registers[register] = _POISON
        registers[10] = result & 0xFFFFFFFF
        return registers[10]

    def _native_from_obj(self, reference: int, kind: int) -> int:
        if kind in (_TYPE_INT, _TYPE_UINT) and reference & 1:
            return ((reference ^ 1 << 31) - (1 << 31)) >> 1
        if kind in _TYPES_POINTER and not reference & 1:
            view = self._objects[reference - _HANDLE >> 4]
            return self._memory.map(view.buffer) + view.offset
        raise MachineError(
            f"{self.name}: an argument is no {'pointer' if reference & 1 else 'integer'}"
        )


class Kernels:
    """The viper functions of a module, as attributes."""

    def __init__(self, module: mpy.NativeModule, names: list[str]) -> None:
        self.file_bytes = module.file_bytes
        self._kernels = {
            name: Kernel(name, code, module.fun_table_index)
            for name, code in zip(names, module.functions, strict=True)
        }

    def __getattr__(self, name: str) -> Kernel:
        try:
            return self._kernels[name]
        except KeyError:
            raise AttributeError(f"no viper function {name}") from None

    def __iter__(self) -> Iterator[Kernel]:
        return iter(self._kernels.values())


def load(source: Path) -> Kernels:
    """Compile `source` for xtensawin and make its viper functions callable."""
    return Kernels(mpy.parse(mpy.compile_module(source)), mpy.viper_names(source))
