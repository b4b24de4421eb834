"""What a box believes of a device's answer to `device.info`."""

from __future__ import annotations

from typing import Any

import pytest

from storagebox.coordinator.device import DeviceInfo

ANSWER: dict[str, Any] = {
    "board": "esp32_generic_c3",
    "version": "0.1.0",
    "boot": 7,
    "ring_bytes": 49152,
    "dac_channels": 2,
    "codecs": ["ima-adpcm", "pcm16", "opus"],
    "codec": "ima-adpcm",
    "lead_ms": 1800,
    "rate": 48000,
}


def test_what_a_board_says_of_itself_is_taken():
    info = DeviceInfo.parse(ANSWER)
    assert (info.codec, info.lead_ms) == ("ima-adpcm", 1800)
    assert set(info.codecs) == {"ima-adpcm", "pcm16"}


@pytest.mark.parametrize(
    "said", [{"codec": None, "lead_ms": None}, {"codec": "opus", "lead_ms": -1}, {"lead_ms": True}]
)
def test_a_preference_that_is_none_of_ours_is_none(said: dict[str, Any]):
    info = DeviceInfo.parse(ANSWER | {"codec": 3} | said)
    assert (info.codec, info.lead_ms) == (None, None)


def test_what_is_no_device_is_refused_by_field():
    with pytest.raises(ValueError, match="ring_bytes is not an integer"):
        DeviceInfo.parse(ANSWER | {"ring_bytes": "many"})
