"""`esp32` of the emulated board: what the firmware asks of it today."""


def idf_heap_info(capabilities):
    return [(0, 0, 0, 0)]


HEAP_DATA = 4
