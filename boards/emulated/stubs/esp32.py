"""`esp32` of the emulated board: NVS, partitions, and what else the firmware asks of it."""

from _flash import Region
from _nvs import NVS
from _partitions import find as _find

__all__ = ("HEAP_DATA", "HEAP_EXEC", "NVS", "Partition", "idf_heap_info")

HEAP_DATA = 4
HEAP_EXEC = 2


def idf_heap_info(capabilities):
    return [(0, 0, 0, 0)]


class Partition(Region):
    """ports/esp32/esp32_partition.c. One application partition, which is the running one."""

    BOOT = 0
    RUNNING = 1
    TYPE_APP = 0
    TYPE_DATA = 1

    def __init__(self, which, block_size=4096):
        if isinstance(which, tuple):
            found = [which]
        elif isinstance(which, int):
            if which not in (Partition.BOOT, Partition.RUNNING):
                raise ValueError
            found = _find(Partition.TYPE_APP)
        else:
            found = _find(Partition.TYPE_APP, label=which) + _find(
                Partition.TYPE_DATA, label=which
            )
        if not found:
            raise OSError(2)
        self._info = found[0]
        super().__init__(self._info[2], self._info[2] + self._info[3])

    def __repr__(self):
        return (
            "<Partition type=%u, subtype=%u, address=%u, size=%u, label=%s, encrypted=%u>"
            % self._info
        )

    @staticmethod
    def find(type=TYPE_APP, subtype=0xFF, label=None, block_size=4096):
        return [Partition(entry) for entry in _find(type, subtype, label)]

    def info(self):
        return self._info

    def get_next_update(self):
        raise OSError(2)  # no second application partition in the stock table

    def set_boot(self):
        pass

    @classmethod
    def mark_app_valid_cancel_rollback(cls):
        pass
