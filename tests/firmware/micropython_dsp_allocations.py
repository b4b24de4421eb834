"""No kernel allocates: with the heap locked, any allocation raises MemoryError."""

import micropython

from phantom import dsp

PORTABLE = True

_CALLS = 100


def _call_all(pcm, block, payload):
    for _ in range(_CALLS):
        dsp.copy(block, 0, pcm, 1, 512)
        dsp.copy(block, 0, pcm, 0, 512)
        dsp.copy_bytes(block, 0, pcm, 0, 1024)
        dsp.decode_adpcm(block, 0, 2, payload, 0, dsp.ADPCM_TABLES)
        dsp.gain(block, 0, 256, 1234, 32768)
        dsp.mix(block, 0, pcm, 0, 512)
        dsp.resample(block, 0, pcm, 0, 2, 257)
        dsp.resample(block, 0, pcm, 0, 2, 255)
        dsp.silence(block, 0, 512)
        dsp.spread(block, 0, pcm, 0, 256)


def test_a_hundred_calls_of_every_kernel_allocate_nothing():
    pcm, block, payload = bytearray(1200), bytearray(1024), bytearray(132)
    _call_all(pcm, block, payload)
    micropython.heap_lock()
    try:
        _call_all(pcm, block, payload)
    finally:
        micropython.heap_unlock()


def test_a_locked_heap_would_notice_an_allocation():
    micropython.heap_lock()
    try:
        noticed = False
        try:
            bytearray(100)
        except MemoryError:
            noticed = True
    finally:
        micropython.heap_unlock()
    assert noticed
