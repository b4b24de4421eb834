"""The modules that touch hardware: `board` on a microcontroller, `cpython` under the tests."""
