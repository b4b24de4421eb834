"""What is written to a board, real or emulated: partitions, file system, firmware."""
