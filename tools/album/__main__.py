"""Makes the album: python -m tools.album [FOLDER]."""

import sys
from pathlib import Path

from . import make_album


def main() -> int:
    """Prints the album's files."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("build/album")
    try:
        paths = make_album(folder, lambda share, doing: print(f"{share:4.0%} {doing}", flush=True))
    except OSError as error:
        print(f"album: {folder}: {error.strerror or error}: name another folder", file=sys.stderr)
        return 2
    for path in paths:
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
