"""Ctrl+C, SIGTERM and the end of the terminal: each asks the demo to end properly, however often it comes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """Asked to end while the demo was still starting. Not an Exception: nothing on its way may take it for a failure."""


class StopRequest:
    """Whether the end was asked for, and what is done about it.

    `asked` is a plain flag, polled: an Event set by a handler can wait for a lock that the thread it interrupted holds.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        """say: prints a line for people."""
        self.asked = False
        self.doing = ""
        """What the demo is at, said to those who ask again."""
        self._say = say
        self._raise = False

    @contextmanager
    def handled(self) -> Iterator[None]:
        """The signals come here for the length of a `with`."""
        before = {number: signal.signal(number, self._on_signal) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Within it the first signal raises Interrupted at once, rather than being noted; one that came before does, too."""
        self._raise = True
        if self.asked:
            self._raise = False
            raise Interrupted
        try:
            yield
        finally:
            self._raise = False

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        again, self.asked = self.asked, True
        if self._raise:
            self._raise = False
            raise Interrupted
        if again:
            text = f"Still ending: {self.doing}. Nothing is left behind when it is done; please wait"
            # Not here: the handler may have interrupted a write to the very stream.
            threading.Thread(target=self._say, args=(text,), name="demo-say").start()
