"""Proxies that pass for an object of an SDK (`isinstance`, attributes, methods) and do something of their own beside.

Their own state is named `_self_*`, which is how wrapt tells it from the state of the object behind.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import wrapt

if TYPE_CHECKING:
    ObjectProxy = wrapt.ObjectProxy[Any]
else:
    ObjectProxy = wrapt.ObjectProxy  # wrapt 1 cannot be subscripted

keep = object.__setattr__
"""Sets what belongs to a `Proxy` itself, in its `__init__` or later."""


class Proxy:
    """A proxy that is made for each stream: making one of wrapt's takes 9 us more.

    It passes on what is asked for by name. Of what Python asks a type for, a stream or a response of an SDK has no more
    than what is here and in the classes below.
    """

    __slots__ = ("__weakref__", "__wrapped__")
    __wrapped__: Any

    def __init__(self, wrapped: Any) -> None:
        keep(self, "__wrapped__", wrapped)

    @property
    def __class__(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride] - what `isinstance` asks
        return self.__wrapped__.__class__

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__wrapped__, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.__wrapped__, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self.__wrapped__, name)

    def __dir__(self) -> Iterable[str]:
        return dir(self.__wrapped__)

    def __repr__(self) -> str:
        return repr(self.__wrapped__)

    def __str__(self) -> str:
        return str(self.__wrapped__)

    def __bool__(self) -> bool:
        return bool(self.__wrapped__)

    def __eq__(self, other: object) -> bool:
        return bool(self.__wrapped__ == other)

    def __hash__(self) -> int:
        return hash(self.__wrapped__)
