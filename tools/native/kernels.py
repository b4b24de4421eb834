"""Calls compiled viper functions as MicroPython's runtime calls them.

A native function is `fun(self, n_args, n_kw, args)` in its CPU's own convention. It finds the
runtime's function table through its context's constants and calls it to check the arguments, to
turn objects into integers and pointers, and to turn the result back. Those few entries are
modelled here (numbers from MicroPython's py/nativeglue.h); any other is a MachineError, since a
kernel that needs it would look names up or allocate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import blocks, mpy
from .machine import Buffer, MachineError, Memory
from .target import CPU_REGISTERS, CYCLES, INSTRUCTIONS, REGISTERS, Target
from .xtensa import XTENSA

# Indices into mp_fun_table.
_NONE, _NATIVE_FROM_OBJ, _NATIVE_TO_OBJ = 0, 3, 4
_ARG_CHECK_NUM_SIG, _FLOOR_DIVIDE, _MODULO = 44, 46, 47
_FUN_TABLE_WORDS = 80
_FUN_TABLE_CODE = 0x4000_0000  # entry i of the table points here + 4 * i
_TYPE_INT, _TYPE_UINT, _TYPES_POINTER = 2, 3, range(4, 8)

_HANDLE = 0x2000_0000  # object references: even, outside every mapped segment
_NONE_OBJECT = 0x1FFF_FFF0
_STACK_BYTES = 1024
_POISON = 0xDEAD_BEEF
_UNTOUCHED = 0xA5  # fills what a function must leave alone of the stack


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

    def __init__(self, name: str, code: bytes, fun_table_index: int, target: Target) -> None:
        self.name = name
        self._target = target
        self.code_bytes = len(code)
        self.last_cost = Cost(0, 0, 0)
        self._ran: set[int] = set()
        self._memory = Memory()
        instructions = target.decode(code)
        base = self._memory.map(code, by_words=target.code_by_words)
        self._entry = instructions[0].address
        self._blocks = blocks.translate(instructions, base, target)
        self._stack = bytearray(_STACK_BYTES)
        self._stack_end = self._memory.map(self._stack) + _STACK_BYTES
        self._self = self._map_context(fun_table_index)
        self._objects: list[Skewed] = []
        self._runtime_calls = 0

    def __call__(self, *arguments: int | Buffer | Skewed, keywords: int = 0) -> int | None:
        """Run to the return; MachineError for anything a board would not survive.

        keywords: how many of the arguments the caller claims to pass by name, which viper refuses.
        """
        self._objects = []
        self._runtime_calls = 0
        self._argument_count = len(arguments)
        words = b"".join(self._reference(item).to_bytes(4, "little") for item in arguments)
        target = self._target
        registers = [_POISON] * CPU_REGISTERS + [0] * (REGISTERS - CPU_REGISTERS)
        for register in target.preserved:
            registers[register] = _POISON + register
        if 0 not in target.preserved:
            registers[0] = 0  # RISC-V's x0
        registers[target.stack] = self._stack_end
        first = target.arguments
        passed = self._self, len(arguments), keywords, self._memory.map(words)
        registers[first : first + 4] = passed
        self._stack[:] = bytes([_UNTOUCHED]) * _STACK_BYTES
        address: int | None = self._entry
        try:
            while address is not None:
                self._ran.add(address)
                address = self._blocks[address](registers, self._memory, self._runtime)
        finally:
            self._memory.unmap_after(self._self)
        self._check_return(registers)
        self.last_cost = Cost(registers[INSTRUCTIONS], registers[CYCLES], self._runtime_calls)
        return self._result(registers[first])

    def never_run(self) -> list[int]:
        """Where the basic blocks begin that no call has come through so far."""
        return sorted(self._blocks.keys() - self._ran)

    def _check_return(self, registers: list[int]) -> None:
        for register in self._target.preserved:
            kept = self._stack_end if register == self._target.stack else _POISON + register
            if registers[register] != kept:
                raise MachineError(f"{self.name} returns with register {register} changed")
        self._check_stack(registers[self._target.stack])

    def _check_stack(self, pointer: int) -> None:
        """What is below the stack pointer, and where others spill registers, is not its own."""
        used = pointer - self._stack_end + _STACK_BYTES
        if pointer % self._target.stack_alignment or not 0 <= used <= _STACK_BYTES:
            raise MachineError(f"{self.name}: the stack pointer is {pointer:#x}")
        spilled = _STACK_BYTES - self._target.save_area_bytes
        if used < _STACK_BYTES and self._stack[spilled:].strip(bytes([_UNTOUCHED])):
            raise MachineError(f"{self.name} stores where its own registers may be spilled")
        if used < _STACK_BYTES and self._stack[:used].strip(bytes([_UNTOUCHED])):
            raise MachineError(f"{self.name} stores below its stack pointer")

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
        """Run the table's entry as the caller's registers say, and put its result there."""
        target = self._target
        self._check_stack(registers[target.stack])
        at = target.call_arguments
        first, second = registers[at : at + 2]
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
        for register in target.clobbered:
            registers[register] = _POISON
        registers[at] = result & 0xFFFFFFFF
        return registers[at]

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

    def __init__(self, module: mpy.NativeModule, names: list[str], target: Target) -> None:
        self.file_bytes = module.file_bytes
        self._kernels = {
            name: Kernel(name, code, module.fun_table_index, target)
            for name, code in zip(names, module.functions, strict=True)
        }

    def __getattr__(self, name: str) -> Kernel:
        try:
            return self._kernels[name]
        except KeyError:
            raise AttributeError(f"no viper function {name}") from None

    def __iter__(self) -> Iterator[Kernel]:
        return iter(self._kernels.values())


def load(source: Path, target: Target = XTENSA) -> Kernels:
    """Compile `source` for a chip and make its viper functions callable."""
    module = mpy.parse(mpy.compile_module(source, target.name), target)
    return Kernels(module, mpy.viper_names(source), target)
