"""The DAC's driver: hands blocks over as long as the ring takes them, and knows when they sound.

Every write is one descriptor, so it is all or nothing and an underrun is clean. The object runs
silence from boot on: the cursor is sharp long before a stream starts.
"""

from time import ticks_us

from .cursor import Cursor
from .wire import CHUNK_FRAMES

# A turn refills at most this many blocks before it looks at the network again.
_BLOCKS_A_TURN = 8


class Output:
    """Drives `i2s` (asyncio mode, `descriptors` deep); `delay_us` is FIFO and DAC after it."""

    def __init__(self, i2s, descriptors, delay_us, renderer, now):
        self._i2s = i2s
        self._block = bytearray(CHUNK_FRAMES * 4)
        self._pending = False  # the block is rendered and waits for room
        self._delay_x3 = delay_us * 3
        self.cursor = Cursor(descriptors, now)
        self._renderer = renderer
        self.now = now  # ticks of this turn
        self._underruns = 0
        renderer.attach(self)

    def sounds_x3(self, number, since):
        """When block `number` is heard, thirds of a microsecond after the ticks `since`."""
        return self.cursor.start_x3(number, since) + self._delay_x3

    def sure(self):
        """Whether that is known: after an underrun it may not be, until the ring is full."""
        return not self.cursor.doubtful

    def pump(self):
        """Write until the ring is full. True if it took anything."""
        cursor = self.cursor
        block = self._block
        for taken in range(_BLOCKS_A_TURN):
            now = ticks_us()
            self.now = now
            if not self._pending:
                if self._underruns != cursor.underruns:
                    self._underruns = cursor.underruns
                    self._renderer.missed()
                self._renderer.render(block, cursor.accepted)
                self._pending = True
                now = ticks_us()
            # Called through the attribute: binding the method would allocate.
            if not self._i2s.write(block):
                cursor.refused(now)
                return taken > 0
            cursor.took(now, ticks_us())
            self._pending = False
        return True
