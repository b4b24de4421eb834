"""Decodes Xtensa code and translates each basic block to a Python function.

Only what mpy-cross emits for viper is known; anything else is an error that names it. The cost
model: 1 cycle an instruction, +1 where an instruction uses what the one before it loaded, +1 for
a multiplication, +2 for a jump or a branch that is taken. Cache misses, window overflows and the
time inside the runtime's own functions are not in it.
"""

import importlib
import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .machine import CYCLES, INSTRUCTIONS, SAR, MachineError, Memory

Call = Callable[[int, list[int]], int]
# (registers, memory, call) -> the next block's address, or None at the function's return.
Block = Callable[[list[int], Memory, Call], int | None]

_LOADS = {"l8ui", "l16ui", "l16si", "l32i", "l32r"}
_STORES = {"s8i", "s16i", "s32i"}
_MULTIPLY_CYCLES = 1
_TAKEN_CYCLES = 2

# {0}.. are the operands, W the mask of a word, S its sign bit; registers hold 0 .. W.
_STATEMENTS = {
    "add": "{0} = {1} + {2} & W",
    "addi": "{0} = {1} + {2} & W",
    "addmi": "{0} = {1} + {2} & W",
    "addx2": "{0} = ({1} << 1) + {2} & W",
    "addx4": "{0} = ({1} << 2) + {2} & W",
    "addx8": "{0} = ({1} << 3) + {2} & W",
    "and": "{0} = {1} & {2}",
    "entry": "{0} = {0} - {1} & W",
    "l16si": "{0} = (memory.load16({1} + {2} & W) ^ 0x8000) - 0x8000 & W",
    "l16ui": "{0} = memory.load16({1} + {2} & W)",
    "l32i": "{0} = memory.load32({1} + {2} & W)",
    "l32r": "{0} = memory.load32(base + {1})",
    "l8ui": "{0} = memory.load8({1} + {2} & W)",
    "mov": "{0} = {1}",
    "movi": "{0} = {1} & W",
    "mull": "{0} = {1} * {2} & W",
    "neg": "{0} = -{1} & W",
    "nop": "pass",
    "or": "{0} = {1} | {2}",
    "s16i": "memory.store16({1} + {2} & W, {0} & 0xFFFF)",
    "s32i": "memory.store32({1} + {2} & W, {0})",
    "s8i": "memory.store8({1} + {2} & W, {0} & 0xFF)",
    "sll": "{0} = {1} << 32 - SAR & W",
    "sra": "{0} = ({1} ^ S) - S >> SAR & W",
    "srl": "{0} = {1} >> SAR",
    "ssl": "SAR = 32 - ({0} & 31)",
    "ssr": "SAR = {0} & 31",
    "sub": "{0} = {1} - {2} & W",
    "xor": "{0} = {1} ^ {2}",
    "callx8": "call({0}, r)",
}
_CONDITIONS = {
    "beq": "{0} == {1}",
    "beqz": "{0} == 0",
    "bge": "{0} ^ S >= {1} ^ S",
    "bgeu": "{0} >= {1}",
    "blt": "{0} ^ S < {1} ^ S",
    "bltu": "{0} < {1}",
    "bne": "{0} != {1}",
    "bnez": "{0} != 0",
}


@dataclass(frozen=True)
class Instruction:
    """One instruction; a branch's last operand and l32r's are addresses within the function."""

    address: int
    size: int
    mnemonic: str
    operands: tuple[str | int, ...]

    @property
    def loads(self) -> str | int | None:
        return self.operands[0] if self.mnemonic in _LOADS else None

    def uses(self, register: str | int | None) -> bool:
        reads_first = self.mnemonic in _STORES | _CONDITIONS.keys() | {"ssl", "ssr", "callx8"}
        return register in (self.operands if reads_first else self.operands[1:])

    @property
    def target(self) -> int | None:
        branches = self.mnemonic == "j" or self.mnemonic in _CONDITIONS
        return int(self.operands[-1]) if branches else None


def decode(code: bytes) -> list[Instruction]:
    """The instructions of a native function: a jump over the literals, then the body."""
    capstone: Any = importlib.import_module("capstone")  # has no types
    decoder = capstone.Cs(capstone.CS_ARCH_XTENSA, capstone.CS_MODE_XTENSA_ESP32)
    entry = 4 + (int.from_bytes(code[:3], "little") >> 6)
    instructions = [
        Instruction(
            item.address,
            item.size,
            item.mnemonic.removesuffix(".n"),
            tuple(_operand(text, item.address) for text in re.split(r",\s*", item.op_str)),
        )
        for item in decoder.disasm(code[entry:], entry)
    ]
    end = instructions[-1].address + instructions[-1].size if instructions else entry
    if end != len(code):
        raise MachineError(f"unknown instruction at {end:#x}: {code[end : end + 3].hex()}")
    return instructions


def _operand(text: str, address: int) -> str | int:
    if re.fullmatch(r"a\d+", text):
        return f"r[{text[1:]}]"
    relative = re.fullmatch(r"\. ([+-]\S+)", text)
    if relative:
        return address + int(relative[1], 0)
    return int(text.removeprefix(". ") or "0", 0)


def translate(instructions: list[Instruction], base: int) -> dict[int, Block]:
    """Address of each basic block to its Python function; `base` is where the code is mapped."""
    leaders = {instruction.target for instruction in instructions} | {instructions[0].address}
    blocks: dict[int, Block] = {}
    block: list[Instruction] = []
    for instruction, following in zip(instructions, [*instructions[1:], None], strict=True):
        block.append(instruction)
        ends = instruction.target is not None or instruction.mnemonic == "retw"
        if ends or following is None or following.address in leaders:
            blocks[block[0].address] = _compile(block, following, base)
            block = []
    return blocks


def _compile(block: list[Instruction], following: Instruction | None, base: int) -> Block:
    stalls = sum(
        after.uses(before.loads)
        for before, after in itertools.pairwise([*block, *filter(None, [following])])
        if before.loads
    )
    multiplications = sum(instruction.mnemonic == "mull" for instruction in block)
    cycles = len(block) + stalls + multiplications * _MULTIPLY_CYCLES
    lines = [f"r[{INSTRUCTIONS}] += {len(block)}", f"r[{CYCLES}] += {cycles}"]
    for instruction in block:
        lines += _statements(instruction)
    if block[-1].mnemonic not in ("j", "retw"):
        lines.append(f"return {following.address if following else None}")
    source = "def block(r, memory, call):\n    " + "\n    ".join(lines)
    source = re.sub(r"\bSAR\b", f"r[{SAR}]", source)
    names: dict[str, Any] = {"W": 0xFFFFFFFF, "S": 0x80000000, "base": base}
    exec(source, names)  # text from the templates above and decoded numbers
    return names["block"]


def _statements(instruction: Instruction) -> list[str]:
    mnemonic, operands = instruction.mnemonic, instruction.operands
    take = f"r[{CYCLES}] += {_TAKEN_CYCLES}"
    if mnemonic == "retw":
        return ["return None"]
    if mnemonic == "j":
        return [take, f"return {instruction.target}"]
    if mnemonic in _CONDITIONS:
        condition = _CONDITIONS[mnemonic].format(*operands)
        return [f"if {condition}:", f"    {take}", f"    return {instruction.target}"]
    if mnemonic not in _STATEMENTS:
        raise MachineError(
            f"no model of {mnemonic} at {instruction.address:#x}: add it to blocks.py"
        )
    return [_STATEMENTS[mnemonic].format(*operands)]
