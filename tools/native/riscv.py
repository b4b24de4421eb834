"""RV32IMC, as the ESP32-C3 and C6 have it: what mpy-cross emits for viper.

The C3 can read words that are not aligned, slowly; here that is an error, as on the other chips.
"""

import importlib
import re
from typing import Any

from .machine import MachineError
from .target import Instruction, Target

_NAMES = (
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", *(f"a{n}" for n in range(8)),
    *(f"s{n}" for n in range(2, 12)), *(f"t{n}" for n in range(3, 7)),
)  # fmt: skip
_REGISTERS = {name: number for number, name in enumerate(_NAMES)}

_STATEMENTS = {
    "add": "{0} = {1} + {2} & W",
    "addi": "{0} = {1} + {2} & W",
    "and": "{0} = {1} & {2}",
    "andi": "{0} = {1} & {2} & W",
    "auipc": "{0} = base + {address} + ({1} << 12) & W",
    "jalr": "call({0}, r)",
    "lb": "{0} = (memory.load8({1} + {2} & W) ^ 0x80) - 0x80 & W",
    "lbu": "{0} = memory.load8({1} + {2} & W)",
    "lh": "{0} = (memory.load16({1} + {2} & W) ^ 0x8000) - 0x8000 & W",
    "lhu": "{0} = memory.load16({1} + {2} & W)",
    "li": "{0} = {1} & W",
    "lui": "{0} = {1} << 12 & W",
    "lw": "{0} = memory.load32({1} + {2} & W)",
    "mul": "{0} = {1} * {2} & W",
    "mv": "{0} = {1}",
    "neg": "{0} = -{1} & W",
    "nop": "pass",
    "not": "{0} = {1} ^ W",
    "or": "{0} = {1} | {2}",
    "ori": "{0} = {1} | {2} & W",
    "sb": "memory.store8({1} + {2} & W, {0} & 0xFF)",
    "seqz": "{0} = int({1} == 0)",
    "sh": "memory.store16({1} + {2} & W, {0} & 0xFFFF)",
    "sll": "{0} = {1} << ({2} & 31) & W",
    "slli": "{0} = {1} << {2} & W",
    "slt": "{0} = int({1} ^ S < {2} ^ S)",
    "slti": "{0} = int({1} ^ S < {2} & W ^ S)",
    "sltu": "{0} = int({1} < {2})",
    "sltiu": "{0} = int({1} < {2} & W)",
    "snez": "{0} = int({1} != 0)",
    "sra": "{0} = ({1} ^ S) - S >> ({2} & 31) & W",
    "srai": "{0} = ({1} ^ S) - S >> {2} & W",
    "srl": "{0} = {1} >> ({2} & 31)",
    "srli": "{0} = {1} >> {2}",
    "sub": "{0} = {1} - {2} & W",
    "sw": "memory.store32({1} + {2} & W, {0})",
    "xor": "{0} = {1} ^ {2}",
    "xori": "{0} = {1} ^ {2} & W",
}
_CONDITIONS = {
    "beq": "{0} == {1}",
    "beqz": "{0} == 0",
    "bge": "{0} ^ S >= {1} ^ S",
    "bgeu": "{0} >= {1}",
    "bgez": "{0} < S",
    "blt": "{0} ^ S < {1} ^ S",
    "bltu": "{0} < {1}",
    "bltz": "{0} >= S",
    "bne": "{0} != {1}",
    "bnez": "{0} != 0",
}


def decode(code: bytes) -> list[Instruction]:
    """The instructions of a native function, which begins with the first."""
    capstone: Any = importlib.import_module("capstone")  # has no types
    mode = capstone.CS_MODE_RISCV32 | capstone.CS_MODE_RISCV_C
    instructions: list[Instruction] = []
    end = 0
    for item in capstone.Cs(capstone.CS_ARCH_RISCV, mode).disasm(code, 0):
        operands = tuple(_operands(item.op_str))
        instruction = Instruction(item.address, item.size, item.mnemonic, operands)
        if item.mnemonic == "jr":
            instruction = _far_jump(instructions, instruction)
        instructions.append(instruction)
        end = item.address + item.size
    if end != len(code):
        raise MachineError(f"unknown instruction at {end:#x}: {code[end : end + 4].hex()}")
    return instructions


def _far_jump(before: list[Instruction], jump: Instruction) -> Instruction:
    """`auipc a6, n; jr m(a6)` as the jump that it is."""
    register, offset = (*jump.operands, 0)[:2]
    last = before[-1] if before else None
    if last is None or last.mnemonic != "auipc" or last.operands[0] != register:
        raise MachineError(f"a jump to nobody knows where at {jump.address:#x}")
    to = last.address + (int(last.operands[1]) << 12) + int(offset)
    return Instruction(jump.address, jump.size, "j", (to,))


def _operands(text: str) -> list[str | int]:
    operands: list[str | int] = []
    for part in re.split(r",\s*", text) if text else ():
        indexed = re.fullmatch(r"(-?\w*)\((\w+)\)", part)
        if indexed:
            operands += [f"r[{_REGISTERS[indexed[2]]}]", int(indexed[1] or "0", 0)]
        elif part in _REGISTERS:
            operands.append(f"r[{_REGISTERS[part]}]")
        else:
            operands.append(int(part, 0))
    return operands


def _numbers(*names: str) -> tuple[int, ...]:
    return tuple(_REGISTERS[name] for name in names)


RISCV = Target(
    name="rv32imc",
    number=11,
    decode=decode,
    statements=_STATEMENTS,
    conditions=_CONDITIONS,
    jump="j",
    ret="ret",
    loads={"lb", "lbu", "lh", "lhu", "lw"},
    stores={"sb", "sh", "sw"},
    multiplications={"mul"},
    reads_first={"jalr"},
    stack=2,
    arguments=10,
    call_arguments=10,
    clobbered=_numbers("ra", *(f"t{n}" for n in range(7)), *(f"a{n}" for n in range(1, 8))),
    preserved=_numbers("ra", "sp", "gp", "tp", *(f"s{n}" for n in range(12))),
    save_area_bytes=0,
    stack_alignment=4,  # the convention says 16, which mpy-cross does not keep
    code_by_words=False,
)
