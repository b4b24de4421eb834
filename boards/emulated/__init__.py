"""A board without hardware: the real firmware in the real MicroPython, one process a board."""
