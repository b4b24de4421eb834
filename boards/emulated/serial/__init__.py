"""The serial side of an emulated board: a port for the field's own tools.

    mpremote, esptool -> slave A | master A <- line.py -> master B | slave B -> interpreter

`line.py` owns both pseudo-terminals and carries bytes between them; `terminals.py` knows how Linux
wants them set, `rom.py` who answers while no firmware runs. The REPL itself runs in the
interpreter (stubs/_repl.py).
"""
