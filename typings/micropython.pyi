"""MicroPython's module for host-side checking; firmware is checked with the real stubs."""

from collections.abc import Callable
from typing import Any, TypeVar

_Value = TypeVar("_Value")
_Function = TypeVar("_Function", bound=Callable[..., Any])

def const(value: _Value, /) -> _Value: ...
def native(function: _Function, /) -> _Function: ...
def viper(function: _Function, /) -> _Function: ...
