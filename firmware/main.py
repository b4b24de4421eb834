"""Runs second: what the loader has chosen."""

import sys

m = sys.modules.get("loader2") or sys.modules.get("loader")
if m:
    m.main()
else:
    print("phantom: both loaders are damaged: flash the board again")
