"""Runs a board's native code on any machine: what mpy-cross made of the viper kernels.

mpy.py compiles a module and takes its native functions out of the .mpy; xtensa.py and riscv.py
know a chip's instructions and calling convention; blocks.py translates a function to Python, basic
block by basic block; machine.py holds memory; kernels.py calls a kernel as MicroPython would. So
the code that ships is checked against the reference bit by bit, and its instructions are counted.
"""

from .kernels import Kernel, Kernels, Skewed, load
from .riscv import RISCV
from .target import Target
from .xtensa import XTENSA

TARGETS = (XTENSA, RISCV)

__all__ = ["RISCV", "TARGETS", "XTENSA", "Kernel", "Kernels", "Skewed", "Target", "load"]
