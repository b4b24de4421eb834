"""What differs from board to board, one folder each; `boards.emulated` runs one in a process."""
