"""How a life ends and the next one begins: one definition for interpreter and supervisor.

Exit codes are those with which the interpreter asks for what follows; causes are machine's.
"""

# machine.reset_cause(), ports/esp32/modmachine.c
PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3
DEEPSLEEP_RESET = 4
SOFT_RESET = 5

# Between lives, in the ROM's loader: a tool is there already, or the firmware asked for it.
LOADER = 100
LOADER_ORDERED = 101

EXIT_HARD = 64
EXIT_SOFT = 65  # comes back in the friendly REPL
EXIT_SOFT_RAW = 66  # comes back in the raw REPL
EXIT_POWER = 67  # the power was cut in an operation of the flash
EXIT_LOADER = 68  # machine.bootloader(): into the ROM's loader
WDT_SIGNAL = 14  # SIGALRM, not caught: ends an interpreter whatever it is doing
