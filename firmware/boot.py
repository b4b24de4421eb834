"""First file a board runs. It must never raise: main.py would be skipped."""

import gc

# A backstop; the firmware collects at moments of its own choosing.
gc.threshold(16 * 1024)
