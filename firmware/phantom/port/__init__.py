"""What touches hardware: `board` on a microcontroller, `pc` on a PC.

`cpython` and `dual_stack` bring MicroPython's names to CPython; boards hold `board` alone.
"""
