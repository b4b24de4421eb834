"""A PC as a device of the house: the boards' runtime on CPython, over IPv4 and IPv6.

`device` puts the runtime (`phantom.device`) on this machine's sockets and registrar; `service`
runs one until it is told to end.
"""

from phantom.port import cpython

# Before anything that imports the runtime.
cpython.install()
