"""The chips that MicroPython's images are made for, and what a flasher has to know of each.

Ids and offsets are ESP-IDF's: esp_image_format.h, esp_chip_id_t, and its bootloader offsets.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Chip:
    """One kind of chip.

    name: as boards and esptool write it. image_id: in the header of its images.
    bootloader_offset: where in flash its first image lies. march: mpy-cross's name of its code.
    """

    name: str
    title: str
    image_id: int
    bootloader_offset: int
    march: str


CHIPS = {
    chip.name: chip
    for chip in (
        Chip("esp32", "ESP32", 0, 0x1000, "xtensawin"),
        Chip("esp32s2", "ESP32-S2", 2, 0x1000, "xtensawin"),
        Chip("esp32s3", "ESP32-S3", 9, 0, "xtensawin"),
        Chip("esp32c3", "ESP32-C3", 5, 0, "rv32imc"),
        Chip("esp32c6", "ESP32-C6", 13, 0, "rv32imc"),
    )
}


def by_image_id(number: int) -> Chip | None:
    """The chip that an image with this id is for; None if it is none of ours."""
    return next((chip for chip in CHIPS.values() if chip.image_id == number), None)
