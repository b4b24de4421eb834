"""Xtensa with register windows, as the ESP32, S2 and S3 have it: what mpy-cross emits for viper.

Calls are `callx8`: a caller's a10.. are the callee's a2.., and what it keeps in a4 .. a7 may be
spilled to the top of its frame at any call (Xtensa ISA, windowed register option). Code lies in
memory that knows aligned 32-bit accesses only, so its literals are loaded as words (l32r).
"""

import importlib
import re
from typing import Any

from .machine import MachineError
from .target import Instruction, Target

_L32R_REACH = 1 << 18  # bytes back from the instruction

_STATEMENTS = {
    "add": "{0} = {1} + {2} & W",
    "addi": "{0} = {1} + {2} & W",
    "addmi": "{0} = {1} + {2} & W",
    "addx2": "{0} = ({1} << 1) + {2} & W",
    "addx4": "{0} = ({1} << 2) + {2} & W",
    "addx8": "{0} = ({1} << 3) + {2} & W",
    "and": "{0} = {1} & {2}",
    "callx8": "call({0}, r)",
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
    for instruction in instructions:
        if instruction.mnemonic == "l32r":
            _check_literal(instruction)
    return instructions


def _check_literal(instruction: Instruction) -> None:
    place, literal = instruction.address, int(instruction.operands[-1])
    if literal & 3 or not max(0, place - _L32R_REACH) <= literal < place:
        raise MachineError(f"l32r at {place:#x} can't reach a literal at {literal:#x}")


def _operand(text: str, address: int) -> str | int:
    if re.fullmatch(r"a\d+", text):
        return f"r[{text[1:]}]"
    relative = re.fullmatch(r"\. ([+-]\S+)", text)
    if relative:
        return address + int(relative[1], 0)
    return int(text.removeprefix(". ") or "0", 0)


XTENSA = Target(
    name="xtensawin",
    number=10,
    decode=decode,
    statements=_STATEMENTS,
    conditions=_CONDITIONS,
    jump="j",
    ret="retw",
    loads={"l8ui", "l16ui", "l16si", "l32i", "l32r"},
    stores={"s8i", "s16i", "s32i"},
    multiplications={"mull"},
    reads_first={"ssl", "ssr", "callx8"},
    stack=1,
    arguments=2,
    call_arguments=10,
    clobbered=(8, 9, *range(11, 16)),
    preserved=(0,),  # where retw goes, and by how much it turns the window back
    save_area_bytes=32,
    stack_alignment=16,
    code_by_words=True,
)
