"""Drivers of chips behind I2C, on doubles that are as strict as the chips."""

from time import sleep_ms, ticks_us

from boards.emulated.stubs import _es8311, _tas5805m
from phantom.codecs import Codec, CodecError, Registers, es8311, tas5805m
from phantom.upkeep import Upkeep
from phantom.wire import discovery
from tests.portable import raises

PORTABLE = True

ENODEV = 19


class Bench:
    """A bus with one chip behind it, its enable pin, and I2S's clocks."""

    def __init__(self, double, address, clocked=True, fitted=True):
        self.clocked = clocked
        self.fitted = fitted
        self.failing = 0  # transfers that are yet to fail
        self.address = address
        self.chip = double.Chip(ticks_us, self._clocks_us)
        self.written = []

    def _clocks_us(self):
        return 1000000 if self.clocked else -1

    def enable(self, level):
        if self.fitted:
            self.chip.enable(level)

    def _transfer(self, address):
        if not self.fitted or address != self.address or self.failing:
            self.failing = max(0, self.failing - 1)
            raise OSError(ENODEV)

    def writeto_mem(self, address, register, buffer):
        self._transfer(address)
        self.chip.write(register, buffer[0])
        self.written.append((register, buffer[0]))

    def readfrom_mem_into(self, address, register, buffer):
        self._transfer(address)
        buffer[0] = self.chip.read(register)


def _amplifier(gain_db10=0, **options):
    bench = Bench(_tas5805m, 0x2D, **options)
    return bench, tas5805m.Chip(Registers(bench, 0x2D), bench.enable, gain_db10)


def _mono(gain_db10=0, **options):
    bench = Bench(_es8311, 0x18, **options)
    return bench, es8311.Chip(Registers(bench, 0x18), bench.enable, gain_db10)


# TAS5805M


def test_a_tas5805m_plays_once_it_is_brought_up():
    bench, chip = _amplifier(gain_db10=-80)
    assert not bench.chip.audible
    chip.start()
    assert bench.chip.audible
    assert chip.check() == ""
    registers = bench.chip.registers
    # What was set outlived the boot of its DSP: 16-bit words, 8 dB below full scale.
    assert (registers[0x33], registers[0x54], registers[0x4C]) == (0, 16, 0x30)


def test_more_than_the_output_stage_can_turn_down_is_the_volumes():
    bench, chip = _amplifier(gain_db10=-200)
    chip.start()
    assert (bench.chip.registers[0x54], bench.chip.registers[0x4C]) == (31, 0x30 + 9)


def test_a_tas5805m_without_clocks_says_so_and_does_not_play():
    bench, chip = _amplifier(clocked=False)
    with raises(CodecError) as caught:
        chip.start()
    assert "BCK and LRCK" in str(caught.value)
    assert not bench.chip.audible
    bench.clocked = True
    chip.start()
    assert bench.chip.audible


def test_a_tas5805m_that_was_left_playing_is_reset_first():
    bench, chip = _amplifier()
    chip.start()
    bench.chip.registers[0x4C] = 0xFF  # whatever had been set before
    chip.start()
    assert bench.chip.registers[0x4C] == 0x30
    assert bench.chip.audible


def test_faults_of_a_tas5805m_are_told_in_words_and_cleared():
    bench, chip = _amplifier()
    chip.start()
    bench.chip.faults[0x70] = 0x01
    assert "too much current" in chip.check()
    assert chip.check() == ""
    bench.chip.faults[0x72] = 0x80
    assert chip.check() == "fault registers 00 00 80"
    bench.enable(0)
    bench.enable(1)
    sleep_ms(6)
    with raises(CodecError) as caught:  # its supply was away, and with it all settings
        chip.check()
    assert "lost its settings" in str(caught.value)


def test_a_tas5805m_is_muted_before_it_is_stopped():
    bench, chip = _amplifier()
    chip.start()
    del bench.written[:]
    chip.stop()
    assert bench.written == [(0x03, 0x0B), (0x03, 0x02), (0x03, 0x00)]
    assert not bench.chip.audible
    with raises(OSError):
        bench.chip.read(0x03)  # it is shut down


def test_the_double_of_a_tas5805m_bites():
    bench = Bench(_tas5805m, 0x2D)
    registers = Registers(bench, 0x2D)
    with raises(OSError):
        registers.write(0x03, 3)  # no power
    bench.enable(1)
    with raises(OSError):
        registers.write(0x03, 3)  # too early
    sleep_ms(6)
    registers.write(0x03, 3)  # never booted
    assert not bench.chip.audible
    registers.write(0x03, 2)
    registers.write(0x54, 7)  # before it has booted
    sleep_ms(6)
    registers.write(0x03, 3)
    assert bench.chip.audible
    assert registers.read(0x54) == 0
    registers.write(0x00, 1)  # another page: no control there
    registers.write(0x03, 0)
    assert bench.chip.audible


# ES8311


def test_an_es8311_plays_from_the_bit_clock():
    bench, chip = _mono(gain_db10=-60)
    assert not bench.chip.audible
    chip.start()
    assert bench.chip.audible
    assert bench.chip.registers[0x32] == 0xBF - 12
    assert chip.check() == ""


def test_an_es8311_unmutes_last_with_its_amplifier_on():
    bench, chip = _mono()
    chip.start()
    assert bench.written[-1] == (0x31, 0)
    assert (0x31, 0x60) in bench.written[:5]
    del bench.written[:]
    chip.stop()
    assert bench.written == [(0x31, 0x60), (0x12, 0x02)]
    assert not bench.chip.amplifier
    assert not bench.chip.audible


def test_another_chip_in_its_place_is_not_written_to():
    bench = Bench(_es8311, 0x18)
    bench.chip.read = lambda _: 0x42
    with raises(CodecError) as caught:
        es8311.Chip(Registers(bench, 0x18), bench.enable, 0).start()
    assert "id 4242" in str(caught.value)
    assert bench.written == []


def test_the_double_of_an_es8311_bites():
    for register, value in ((0x01, 0x3F), (0x02, 0), (0x09, 0), (0x31, 0x20), (0x32, 0)):
        bench, chip = _mono()
        chip.start()
        bench.chip.write(register, value)
        assert not bench.chip.audible
    bench, chip = _mono()
    chip.start()
    bench.enable(0)
    assert not bench.chip.audible


# The service

CONTROL = {"driver": "tas5805m", "address": 0x2D}


def _service(**options):
    bench = Bench(_tas5805m, 0x2D, **options)
    upkeep = Upkeep()
    return bench, Codec(CONTROL, bench, bench.enable, upkeep), upkeep


def test_a_transfer_that_fails_once_is_tried_again():
    bench, codec, upkeep = _service()
    bench.failing = 1
    codec.start()
    assert bench.chip.audible
    assert upkeep.faults == []


def test_a_chip_that_is_away_is_a_fault_until_it_is_back():
    bench, codec, upkeep = _service(fitted=False)
    codec.start()
    assert "tas5805m: nothing answers at I2C address 0x2d: see to its supply" in upkeep.faults[0]
    assert upkeep.reason == discovery.OTHER
    codec.chore(0)
    codec.chore(9000)  # not yet again
    bench.fitted = True
    codec.chore(9999)
    assert not bench.chip.audible
    codec.chore(10000)
    assert bench.chip.audible
    assert (codec.fault, upkeep.faults, upkeep.reason) == ("", [], "")


def test_a_chip_that_loses_its_settings_gets_them_back():
    bench, codec, upkeep = _service()
    codec.start()
    codec.chore(0)
    bench.enable(0)
    bench.enable(1)
    sleep_ms(6)
    assert not bench.chip.audible
    codec.chore(2000)
    assert bench.chip.audible
    assert upkeep.faults == []
    bench.chip.faults[0x72] = 1
    codec.chore(4000)
    assert "too hot" in upkeep.faults[0]
    codec.chore(6000)
    assert upkeep.faults == []


def test_a_chip_that_goes_away_is_told_of_and_stopping_it_never_raises():
    bench, codec, upkeep = _service()
    codec.start()
    codec.chore(0)
    bench.fitted = False
    codec.chore(2000)
    assert "nothing answers" in upkeep.faults[0]
    codec.stop()
    assert codec.fault


def test_a_driver_that_is_not_there_is_a_fault():
    bench = Bench(_tas5805m, 0x2D)
    codec = Codec({"driver": "wm8960", "address": 0x1A}, bench, bench.enable, Upkeep())
    codec.start()
    assert codec.fault == "wm8960: no driver for it in this firmware; update it"
    codec.stop()


def test_a_fault_that_is_mended_leaves_the_gravest_of_the_others():
    upkeep = Upkeep()
    upkeep.fault("too hot", discovery.OTHER)
    upkeep.fault("no pins", discovery.NO_FACTS)
    upkeep.mended("no pins")
    assert (upkeep.faults, upkeep.reason) == (["too hot"], discovery.OTHER)
    upkeep.mended("never was")
    upkeep.mended("too hot")
    assert (upkeep.faults, upkeep.reason) == ([], "")
