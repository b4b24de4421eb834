"""What the distribution holds: all that `phantom` runs on away from the tree, and no more."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = (sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory")
# Where a folder of the tree is in the wheel.
PLACES = {
    "boards": "boards",
    "tools": "tools",
    "host/storagebox": "storagebox",
    "firmware/phantom": "phantom",
}
WORKED_WITH = {"ruff.toml", "pyrightconfig.json"}


@pytest.fixture(name="names", scope="module")
def _names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([*BUILD, str(folder)], check=True, cwd=ROOT, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def _in_the_tree() -> set[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--", *PLACES], check=False, cwd=ROOT, capture_output=True, text=True
    )
    if listed.returncode:
        pytest.skip("not in a git checkout: nobody says which files are the project's")
    found: set[str] = set()
    for name in listed.stdout.splitlines():
        place = next(place for place in PLACES if name.startswith(f"{place}/"))
        found.add(PLACES[place] + name.removeprefix(place))
    return found


def test_the_wheel_holds_the_four_packages_whole_and_nothing_else(names: set[str]) -> None:
    wanted = {name for name in _in_the_tree() if Path(name).name not in WORKED_WITH}
    boot = {f"phantom/_boot/{name}.py" for name in ("boot", "loader", "main")}
    untracked = {name for name in names - wanted - boot if (ROOT / name).suffix != ".py"}
    assert wanted | boot <= names
    assert untracked == set()


def test_it_holds_what_is_no_python(names: set[str]) -> None:
    kinds = [
        folder.name for folder in (ROOT / "boards").iterdir() if (folder / "board.toml").exists()
    ]
    assert len(kinds) > 5
    for name in (*(f"boards/{kind}/board.toml" for kind in kinds), "storagebox/py.typed"):
        assert name in names
