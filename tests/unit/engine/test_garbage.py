"""Garbage is collected by the main loop's thread alone, whoever makes it."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from ginkgo_streams.engine import garbage


class Node:
    """Something in a cycle with itself."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture(autouse=True)
def collecting() -> Iterator[None]:
    yield
    gc.enable()


def test_garbage_when_another_thread_makes_it_then_the_loops_thread_collects_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "LOOK_S", 0.01)
    collected_by: set[int] = set()
    dropped: list[weakref.ref[Node]] = []

    def note(phase: str, info: dict[str, Any]) -> None:
        collected_by.add(threading.get_ident())

    def make() -> None:
        dropped.append(weakref.ref(Node()))
        assert [Node() for _ in range(20_000)]  # enough for many collections by count

    async def run() -> None:
        collector = asyncio.ensure_future(garbage.collect_garbage())
        await asyncio.sleep(0)
        gc.callbacks.append(note)
        try:
            thread = threading.Thread(target=make)
            thread.start()
            async with asyncio.timeout(30):
                while thread.is_alive() or dropped[0]() is not None:
                    await asyncio.sleep(0.001)
        finally:
            gc.callbacks.remove(note)
            collector.cancel()

    asyncio.run(run())
    assert collected_by == {threading.get_ident()}
