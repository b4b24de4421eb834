"""Who is in the house, as a program on a host sees it: beacons on every interface, and DNS-SD."""

from .registrar import Registrar

__all__ = ["Registrar"]
