"""The partitions of this board's flash, as the bootloader and MicroPython find them."""

from _board import facts


def find(kind, subtype=0xFF, label=None):
    """Entries (type, subtype, offset, size, label, encrypted) that fit, in the table's order."""
    return [
        tuple(entry)
        for entry in facts["partitions"]
        if entry[0] == kind
        and subtype in (0xFF, entry[1])
        and (label is None or label == entry[4])
    ]
