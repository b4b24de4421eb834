"""`python -m storagebox.cli`."""

from . import main

main()
