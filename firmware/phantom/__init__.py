"""Phantom's device runtime. Everything outside ``port`` runs on MicroPython and on CPython."""

VERSION = "0.1.0"
