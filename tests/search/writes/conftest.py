"""An application that a test writes to."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from storagebox.search.writes import durable
from tests.search.writes.tenant import Tenant


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A folder that no disk is slow for: every write here waits for one several times."""
    fast = Path("/dev/shm")
    roomy = os.access(fast, os.W_OK) and durable.room_bytes(fast) > 1 << 30
    folder = Path(tempfile.mkdtemp(dir=fast if roomy else tmp_path))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def tenant(memory: Path) -> Iterator[Tenant]:
    made = Tenant(memory / "TEST")
    yield made
    made.app.close()
