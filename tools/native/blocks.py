"""Translates each basic block of a function to a Python function.

Only what mpy-cross emits for viper is known; anything else is an error that names it. The cost
model: 1 cycle an instruction, +1 where an instruction uses what the one before it loaded, +1 for
a multiplication, +2 for a jump or a branch that is taken. Cache misses, window overflows and the
time inside the runtime's own functions are not in it.
"""

import itertools
import re
from collections.abc import Callable
from typing import Any

from .machine import MachineError, Memory
from .target import CYCLES, INSTRUCTIONS, SAR, Instruction, Target

Call = Callable[[int, list[int]], int]
# (registers, memory, call) -> the next block's address, or None at the function's return.
Block = Callable[[list[int], Memory, Call], int | None]

_MULTIPLY_CYCLES = 1
_TAKEN_CYCLES = 2
_TAKE = f"r[{CYCLES}] += {_TAKEN_CYCLES}"


def translate(instructions: list[Instruction], base: int, target: Target) -> dict[int, Block]:
    """Address of each basic block to its Python function; `base` is where the code is mapped."""
    leaders = {target.branch(instruction) for instruction in instructions}
    leaders.add(instructions[0].address)
    blocks: dict[int, Block] = {}
    block: list[Instruction] = []
    for instruction, following in zip(instructions, [*instructions[1:], None], strict=True):
        block.append(instruction)
        ends = target.branch(instruction) is not None or instruction.mnemonic == target.ret
        if ends or following is None or following.address in leaders:
            blocks[block[0].address] = _compile(block, following, base, target)
            block = []
    return blocks


def _compile(
    block: list[Instruction], following: Instruction | None, base: int, target: Target
) -> Block:
    pairs = itertools.pairwise([*block, *filter(None, [following])])
    loads = [(target.loaded(before), after) for before, after in pairs]
    stalls = sum(target.uses(after, register) for register, after in loads if register)
    multiplications = sum(item.mnemonic in target.multiplications for item in block)
    cycles = len(block) + stalls + multiplications * _MULTIPLY_CYCLES
    lines = [f"r[{INSTRUCTIONS}] += {len(block)}", f"r[{CYCLES}] += {cycles}"]
    for instruction in block:
        lines += _statements(instruction, target)
    if block[-1].mnemonic not in (target.jump, target.ret):
        lines.append(f"return {following.address if following else None}")
    source = "def block(r, memory, call):\n    " + "\n    ".join(lines)
    source = re.sub(r"\bSAR\b", f"r[{SAR}]", source)
    names: dict[str, Any] = {"W": 0xFFFFFFFF, "S": 0x80000000, "base": base}
    exec(source, names)  # text from the templates above and decoded numbers
    return names["block"]


def _statements(instruction: Instruction, target: Target) -> list[str]:
    mnemonic, operands = instruction.mnemonic, instruction.operands
    if mnemonic == target.ret:
        return ["return None"]
    if mnemonic == target.jump:
        return [_TAKE, f"return {operands[-1]}"]
    if mnemonic in target.conditions:
        condition = target.conditions[mnemonic].format(*operands)
        return [f"if {condition}:", f"    {_TAKE}", f"    return {operands[-1]}"]
    if mnemonic not in target.statements:
        raise MachineError(
            f"no model of {mnemonic} at {instruction.address:#x}: add it to that of {target.name}"
        )
    return [target.statements[mnemonic].format(*operands, address=instruction.address)]
