"""What the translator and the caller of kernels have to know of a chip's CPU."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

CPU_REGISTERS = 32
SAR, INSTRUCTIONS, CYCLES = 32, 33, 34  # in the register list, after the CPU's own
REGISTERS = 35


@dataclass(frozen=True)
class Instruction:
    """One instruction; a branch's last operand and l32r's are addresses within the function."""

    address: int
    size: int
    mnemonic: str
    operands: tuple[str | int, ...]


@dataclass(frozen=True)
class Target:
    """One CPU as mpy-cross compiles for it; registers by their place in the register list."""

    name: str  # -march of mpy-cross
    number: int  # in a .mpy's header
    decode: Callable[[bytes], list[Instruction]]
    # {0}.. are the operands, W the mask of a word, S its sign bit; registers hold 0 .. W.
    statements: Mapping[str, str]
    conditions: Mapping[str, str]  # of branches
    jump: str
    ret: str
    loads: Collection[str]
    stores: Collection[str]
    multiplications: Collection[str]
    reads_first: Collection[str]  # instructions besides stores whose first operand is a source
    stack: int
    arguments: int  # the first of four, in the function that is called
    call_arguments: int  # the same in the caller
    clobbered: Collection[int]  # what a call leaves undefined
    preserved: Sequence[int]  # what a function must hand back as it was
    save_area_bytes: int  # at the top of a frame, for registers that others spill
    stack_alignment: int  # at a call
    code_by_words: bool  # whether code memory takes aligned 32-bit accesses only

    def branch(self, instruction: Instruction) -> int | None:
        """Where the instruction may go besides to the next."""
        if instruction.mnemonic == self.jump or instruction.mnemonic in self.conditions:
            return int(instruction.operands[-1])
        return None

    def loaded(self, instruction: Instruction) -> str | int | None:
        """The register that the instruction loads."""
        return instruction.operands[0] if instruction.mnemonic in self.loads else None

    def uses(self, instruction: Instruction, register: str | int | None) -> bool:
        """Whether the instruction reads the register."""
        mnemonic, operands = instruction.mnemonic, instruction.operands
        reads_first = mnemonic in self.stores or mnemonic in self.conditions
        if reads_first or mnemonic in self.reads_first:
            return register in operands
        return register in operands[1:]
