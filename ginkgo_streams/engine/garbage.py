"""Python's cyclic garbage is collected in the thread of the main loop, and nowhere else.

By itself Python collects in whatever thread makes an object when one is due. A connection that was dropped in a cycle is then closed by
another thread than the one whose loop is reading from it, and libuv, which that loop stands on, calls what is no longer there: the process
ends by SIGSEGV.
"""

from __future__ import annotations

import asyncio
import gc

LOOK_S = 1.0
WHOLE_EVERY = 60
"""Looks at the young objects, of which one is at all that was not there at the start."""


async def collect_garbage() -> None:
    """Collect for ever, from the main loop."""
    gc.disable()
    look = 0
    while True:
        await asyncio.sleep(LOOK_S)
        look += 1
        gc.collect(1 if look % WHOLE_EVERY else 2)
