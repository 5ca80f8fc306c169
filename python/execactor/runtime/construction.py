"""For whom a thread is constructing an actor: pykka's constructor is not told of the cell that it stands in."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from execactor.runtime.cell import Cell
    from execactor.runtime.life import Life

M = TypeVar("M")

_construction = threading.local()


def construct(cell: "Life", make: Callable[..., M], *args: Any, **kwargs: Any) -> M:
    """Make an instance of the cell's class, on this thread, that becomes the cell's actor."""
    outer = cell_under_construction()
    _construction.cell = cell
    try:
        return make(*args, **kwargs)
    finally:
        _construction.cell = outer


def cell_under_construction() -> "Cell | None":
    """The cell for which this thread is constructing an actor, if it is."""
    cell: Cell | None = getattr(_construction, "cell", None)
    return cell
