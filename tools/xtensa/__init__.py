"""Runs the board's native code on any machine: what mpy-cross made of the viper kernels.

mpy.py compiles a module for `xtensawin` and takes its native functions out of the .mpy;
blocks.py decodes one and translates it to Python, basic block by basic block; machine.py holds
memory and counts; viper.py calls a kernel as MicroPython would. So the code that ships is checked
against the reference bit by bit, and its instructions are counted.
"""

from .viper import Kernel, Kernels, Skewed, load

__all__ = ["Kernel", "Kernels", "Skewed", "load"]
