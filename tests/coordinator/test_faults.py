"""What boards' beacons say is wrong, in words that tell what to do."""

import pytest

from phantom.wire import discovery
from storagebox.coordinator import faults
from storagebox.coordinator.health import FAIR, SILENT


@pytest.mark.parametrize("reason", discovery.REASONS[1:])
def test_each_reason_has_its_words_in_safe_mode_and_out_of_it(reason: str) -> None:
    flags = discovery.with_reason(0, reason)
    playing = faults.health_of("kitchen", flags)
    safe = faults.health_of("kitchen", flags | discovery.SAFE_MODE)
    assert playing is not None
    assert safe is not None
    assert (playing.level, safe.level) == (FAIR, SILENT)
    assert safe.reason == f"safe mode, {playing.reason}"
    assert "{" not in playing.reason


def test_a_board_that_says_nothing_is_well_and_safe_mode_needs_no_reason() -> None:
    assert faults.health_of("kitchen", 0) is None
    safe = faults.health_of("kitchen", discovery.SAFE_MODE)
    assert safe is not None
    assert safe.reason.startswith("safe mode, something is wrong")
