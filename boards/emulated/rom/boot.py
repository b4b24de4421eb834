"""What a chip does with its flash after a reset: the mask ROM, then the second-stage bootloader.

Messages are those of the ROMs and of ESP-IDF 5.4 (bootloader_support: esp_image_format.c,
flash_partitions.c, bootloader_utility.c), without their times.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from boards.emulated.rom.chips import Chip
from boards.emulated.rom.flash import FlashFile
from boards.image import espimage, partitions
from boards.image.espimage import EspImage, Fault, ImageError
from boards.image.partitions import TABLE_BYTES, TABLE_OFFSET, TYPE_APP, Partition

_MAX_BOOTLOADER = 0x8000
_ENTRY = 32
_INVALID_HEADER_LINES = 8
_FACTORY, _FIRST_OTA, _LAST_OTA = 0x00, 0x10, 0x1F

RESETS = {
    "esp32": {"power": "rst:0x1 (POWERON_RESET)", "software": "rst:0xc (SW_CPU_RESET)"}
    | {"watchdog": "rst:0x10 (RTCWDT_RTC_RESET)"},
    "esp32s3": {"power": "rst:0x1 (POWERON)", "software": "rst:0xc (RTC_SW_CPU_RST)"}
    | {"watchdog": "rst:0x10 (RTCWDT_RTC_RST)"},
    "esp32c3": {"power": "rst:0x1 (POWERON)", "software": "rst:0xc (RTC_SW_CPU_RST)"}
    | {"watchdog": "rst:0x10 (RTCWDT_RTC_RST)"},
}


@dataclass(frozen=True)
class BootResult:
    """Whether an application starts; if not, `message` is what the chip says, again and again.

    Lines end with CR LF. `app` is where the application lies and `image` what it is.
    """

    ok: bool
    message: str = ""
    app: Partition | None = None
    image: EspImage | None = None


class _Halt(Exception):
    """Booting ends; the text is what was said."""


def boot_log(chip: Chip, reset: str = "power") -> str:
    """What the ROM says when it boots. reset: "power", "software" or "watchdog"."""
    return f"{chip.hello}{RESETS[chip.name][reset]},{chip.boot_strap}\r\n"


def download_log(chip: Chip, reset: str = "power") -> str:
    """What the ROM says when it waits for a tool."""
    strap = f"{RESETS[chip.name][reset]},{chip.download_strap}"
    return f"{chip.hello}{strap}\r\nwaiting for download\r\n"


def boot_image(flash: FlashFile, chip: Chip) -> BootResult:
    """What starts from this flash on this chip: bootloader, partition table, application."""
    content = flash.read(0, flash.size)
    try:
        _check_bootloader(content, chip)
        app = _application(_table(content))
        image = _check_application(content, app, chip)
    except _Halt as halt:
        return BootResult(ok=False, message=str(halt))
    return BootResult(ok=True, app=app, image=image)


def _check_bootloader(content: bytes, chip: Chip) -> None:
    """The mask ROM's part: the bootloader's header and the sum of its bytes."""
    data = content[chip.bootloader_offset :][:_MAX_BOOTLOADER]
    try:
        # No digest: a tool may have set the flash's size in the header. The ROM looks away.
        image = espimage.parse(data, check_digest=False)
    except ImageError as error:
        if error.fault is Fault.CHECKSUM:
            raise _Halt(f"csum err:{error.stored:#x}!={error.found:#x}\r\n") from error
        word = int.from_bytes(data[:4], "little")
        line = f"invalid header: {word:#010x}\r\n"
        raise _Halt(line * _INVALID_HEADER_LINES) from error
    if image.chip_id == chip.image_id:
        return
    if not chip.has_security_info:
        # This ROM knows of no other chip; it loads what can't run on it.
        first = image.segments[0]
        where = f"load:{first.address:#010x},len:{first.size}\r\n"
        raise _Halt(f"{where}Fatal exception (0): IllegalInstruction\r\n")
    raise _Halt(
        f"Invalid chip id. Expected {chip.image_id} read {image.chip_id}. "
        "Bootloader for wrong chip?\r\n"
    )


def _table(content: bytes) -> list[Partition]:
    table = content[TABLE_OFFSET : TABLE_OFFSET + TABLE_BYTES]
    lines = "E boot: Failed to verify partition table\r\nE boot: load partition table error!\r\n"
    for at in range(0, TABLE_BYTES, _ENTRY):
        entry = table[at : at + _ENTRY]
        if entry[:2] == b"\xeb\xeb":
            if hashlib.md5(table[:at], usedforsecurity=False).digest() != entry[16:]:
                raise _Halt(f"E flash_parts: Incorrect MD5 checksum\r\n{lines}")
            break
        if entry[:2] == b"\xff\xff" and at > 0:
            break
        if entry[:2] != b"\xaa\x50":
            number = int.from_bytes(entry[:2], "little")
            said = f"partition {at // _ENTRY} invalid magic number {number:#x}"
            raise _Halt(f"E flash_parts: {said}\r\n{lines}")
        offset, size = (int.from_bytes(entry[i : i + 4], "little") for i in (4, 8))
        if offset + size > len(content):
            said = f"partition {at // _ENTRY} invalid - offset {offset:#x} size {size:#x}"
            size_said = f"exceeds flash chip size {len(content):#x}"
            raise _Halt(f"E flash_parts: {said} {size_said}\r\n{lines}")
    return partitions.parse(table)


def _application(table: list[Partition]) -> Partition:
    """The partition that is started: the factory's, or the first one for updates.

    Which of two was chosen by an update (otadata) isn't modelled: no image here has two.
    """
    apps = [p for p in table if p.type == TYPE_APP]
    for partition in apps:
        if partition.subtype == _FACTORY:
            return partition
    for partition in sorted(apps, key=lambda p: p.subtype):
        if _FIRST_OTA <= partition.subtype <= _LAST_OTA:
            return partition
    raise _Halt("E boot: No bootable app partitions in the partition table\r\n")


def _check_application(content: bytes, app: Partition, chip: Chip) -> EspImage:
    try:
        image = espimage.parse(content[app.offset : app.end])
    except ImageError as error:
        raise _Halt(_image_fault(app, error) + _not_bootable(app)) from error
    said = ""
    if image.chip_id != chip.image_id:
        said = f"mismatch chip ID, expected {chip.image_id}, found {image.chip_id}"
    elif image.min_revision > chip.revision:
        needed, have = map(espimage.revision_text, (image.min_revision, chip.revision))
        said = f"Image requires chip rev >= {needed}, but chip is {have}"
    if said:
        raise _Halt(f"E boot_comm: {said}\r\n{_not_bootable(app)}")
    return image


def _image_fault(app: Partition, error: ImageError) -> str:
    if error.fault is Fault.MAGIC:
        text = f"image at {app.offset:#x} has invalid magic byte (nothing flashed here?)"
    elif error.fault is Fault.CHECKSUM:
        text = f"Checksum failed. Calculated {error.found:#x} read {error.stored:#x}"
    elif error.fault is Fault.DIGEST:
        text = "Image hash failed - image is corrupt"
    elif error.fault is Fault.TRUNCATED:
        text = f"Image length {error.stored} doesn't fit in partition length {app.size}"
    else:
        text = f"invalid segment length {error.stored:#x}"
    return f"E esp_image: {text}\r\n"


def _not_bootable(app: Partition) -> str:
    which = "Factory app partition" if app.subtype == _FACTORY else "OTA app partition slot 0"
    return (
        f"E boot: {which} is not bootable\r\n"
        "E boot: No bootable app partitions in the partition table\r\n"
    )
