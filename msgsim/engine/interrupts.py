"""Ctrl-C between events, never inside one: what is live stays whole, and can be looked at and gone on with."""

from collections.abc import Iterator
from contextlib import contextmanager
from signal import SIGINT, default_int_handler, getsignal, signal
from threading import current_thread, main_thread
from types import FrameType


class Interrupt:
    """Whether Ctrl-C has been pressed. A second time it is not waited for the end of the event."""

    __slots__ = ("asked",)

    def __init__(self) -> None:
        self.asked = False

    def ask(self, _signal: int, _frame: FrameType | None) -> None:
        """Note it.

        Raises:
            KeyboardInterrupt: the second time.
        """
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


@contextmanager
def between_events() -> Iterator[Interrupt]:
    """Hold Ctrl-C back; whoever runs the events looks at `asked` between two of them.

    It is left to others where they handle it themselves, and in all threads but the main one, which get no signals.

    Raises:
        KeyboardInterrupt: at the end, if it was pressed.
    """
    interrupt = Interrupt()
    if current_thread() is not main_thread() or getsignal(SIGINT) is not default_int_handler:
        yield interrupt
        return
    signal(SIGINT, interrupt.ask)
    try:
        yield interrupt
    finally:
        signal(SIGINT, default_int_handler)
    if interrupt.asked:
        raise KeyboardInterrupt
