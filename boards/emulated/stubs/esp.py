"""`esp` of the emulated board: the size of its flash."""

from _board import facts


def flash_size():
    return facts["vfs_end"]  # the file system ends with the chip
