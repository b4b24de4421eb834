# What MicroPython's build freezes into an image with Phantom in it: code that is executed from
# flash, for boards without PSRAM. docs/flashing.md says how, and what that saves.

import os

_OF_PCS = ("cpython.py", "dual_stack.py", "pc.py")  # the ports that a board has no use for


def _of_boards():
    for folder, _, names in os.walk("phantom"):
        for name in sorted(names):
            if name.endswith(".py") and not (folder.endswith("port") and name in _OF_PCS):
                yield os.path.join(folder, name)[len("phantom/") :]


include("$(PORT_DIR)/boards/manifest.py")
package("phantom", files=sorted(_of_boards()), opt=3)
