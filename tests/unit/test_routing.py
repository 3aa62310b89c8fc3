"""The tick router's batching, on a real event loop, with a send that the test opens and shuts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import numpy as np
import pytest

from ginkgo_streams import routing
from ginkgo_streams.domain.events import FIELDS, SEQ, Quotes
from ginkgo_streams.messages import Ticks, decode_ticks, no_quotes
from ginkgo_streams.routing import Interest, Router


class Gate:
    """A send that keeps what it was given and acknowledges when told to (open: at once)."""

    def __init__(self, open_: bool = True) -> None:
        self.sent: list[tuple[int, Ticks]] = []
        self.at: list[tuple[int, float]] = []
        self.in_flight: dict[int, int] = {}
        self.most_in_flight = 0
        self.error: Exception | None = None
        self._open = asyncio.Event()
        if open_:
            self._open.set()

    def open(self) -> None:
        self._open.set()

    async def __call__(self, slot: int, message: bytes) -> None:
        self.sent.append((slot, decode_ticks(message)))
        self.at.append((slot, asyncio.get_running_loop().time()))
        self.in_flight[slot] = self.in_flight.get(slot, 0) + 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight[slot])
        await self._open.wait()
        self.in_flight[slot] -= 1
        if self.error is not None:
            raise self.error

    def codes(self, slot: int) -> list[tuple[str, ...]]:
        return [ticks.codes for to, ticks in self.sent if to == slot]


def quotes(*codes: str, seq: int = 0) -> Quotes:
    data = np.zeros((len(FIELDS), len(codes)), np.int64)
    data[SEQ] = np.arange(seq, seq + len(codes))
    return Quotes(codes, data)


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def within() -> None:
        async with asyncio.timeout(20):
            await test()

    asyncio.run(within())


def fixed(interest: Mapping[int, Interest]) -> Callable[[], Mapping[int, Interest]]:
    return lambda: interest


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


def test_s1_1_tick_of_a_code_when_published_then_only_interested_slots_get_it() -> None:
    async def test() -> None:
        gate = Gate()
        router = Router(fixed({0: frozenset({"A", "B"}), 1: frozenset({"B"}), 2: "*", 3: frozenset()}), gate)
        await router.add(quotes("A", "B", "C"))
        await router.add(quotes("C"))
        assert {slot: gate.codes(slot) for slot in range(4)} == {0: [("A", "B")], 1: [("B",)], 2: [("A", "B", "C"), ("C",)], 3: []}
        assert [ticks.quotes().data[SEQ].tolist() for slot, ticks in gate.sent if slot == 1] == [[1]]
        assert (router.messages, router.quotes) == (4, 7)

    run(test)


def test_quotes_that_nobody_wants_when_added_then_done_at_once() -> None:
    async def test() -> None:
        gate = Gate()
        router = Router(fixed({0: frozenset({"A"})}), gate)
        assert router.add(quotes("B")).done()
        assert router.add(quotes()).done()
        assert not gate.sent

    run(test)


def test_slot_with_a_message_in_flight_when_more_arrives_then_one_message_carries_all_of_it_in_order() -> None:
    async def test() -> None:
        gate = Gate(open_=False)
        router = Router(fixed({0: frozenset({"A", "B"})}), gate, window_s=0)
        first = router.add(quotes("A", seq=1))
        await until(lambda: len(gate.sent) == 1)
        rest = [router.add(quotes("A", "X", "B", seq=10 * i)) for i in range(1, 5)]
        await asyncio.sleep(0.02)
        assert len(gate.sent) == 1
        assert not first.done()
        gate.open()
        await asyncio.gather(first, *rest)
        assert gate.codes(0) == [("A",), ("A", "B") * 4]
        assert gate.sent[1][1].quotes().data[SEQ].tolist() == [10, 12, 20, 22, 30, 32, 40, 42]
        assert gate.most_in_flight == 1

    run(test)


def test_idle_slot_when_a_tick_comes_then_it_is_sent_at_once_and_the_next_waits_for_the_window() -> None:
    async def test() -> None:
        gate = Gate()
        router = Router(fixed({0: "*"}), gate, window_s=0.2)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await router.add(quotes("A"))
        assert loop.time() - begun < 0.2, "the first message waited for the window though the slot was idle"
        await asyncio.gather(router.add(quotes("A")), router.add(quotes("B")))
        assert gate.codes(0) == [("A",), ("A", "B")]
        assert gate.at[1][1] - gate.at[0][1] >= 0.19

    run(test)


def test_router_step_that_comes_in_parts_goes_out_in_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routing, "GATHER_S", 0.5)

    async def test() -> None:
        gate = Gate()
        router = Router(fixed({0: "*"}), gate, window_s=10)
        added = []
        for number in range(12):
            added.append(router.add(quotes("A", seq=number)))
            await asyncio.sleep(0.01)
        await asyncio.gather(*added)
        assert [len(codes) for codes in gate.codes(0)] == [12]

    run(test)


def test_router_step_of_as_many_parts_as_the_ones_before_goes_out_with_its_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routing, "GATHER_S", 0.2)

    async def test() -> None:
        gate = Gate()
        router = Router(fixed({0: "*", 1: "*"}), gate, window_s=0.3)

        async def step(parts: int) -> bool:
            """Whether it goes out with its last part."""
            before = len(gate.sent)
            added = [router.add(quotes("A", seq=number)) for number in range(parts)]
            for _ in range(10):
                await asyncio.sleep(0)
            at_once = len(gate.sent) > before
            await asyncio.gather(*added)
            await asyncio.sleep(0.4)
            return at_once

        assert [await step(parts) for parts in (5, 5, 3, 5)] == [False, True, False, True]
        assert [await step(parts) for parts in (6, *[5] * routing.STEPS, 5)] == [False] * (1 + routing.STEPS) + [True]
        assert {len(codes) for codes in gate.codes(1)} == {3, 5, 6}, "each step in one message"

    run(test)


def test_future_of_an_add_when_one_of_its_slots_is_not_acknowledged_then_not_done() -> None:
    async def test() -> None:
        slow = Gate(open_=False)
        fast = Gate()

        async def send(slot: int, message: bytes) -> None:
            await (slow if slot else fast)(slot, message)

        router = Router(fixed({0: "*", 1: "*"}), send)
        done = router.add(quotes("A"))
        await until(lambda: bool(fast.sent and slow.sent))
        await asyncio.sleep(0)
        assert not done.done()
        slow.open()
        await done

    run(test)


def test_send_that_fails_when_things_wait_then_every_future_has_the_error_and_the_router_takes_no_more() -> None:
    async def test() -> None:
        gate = Gate(open_=False)
        gate.error = ConnectionError("the broker is gone")
        fatal: list[BaseException] = []
        router = Router(fixed({0: "*"}), gate, on_error=fatal.append)
        first = router.add(quotes("A"))
        await until(lambda: bool(gate.sent))
        waiting = router.add(quotes("B"))
        gate.open()
        for future in (first, waiting):
            with pytest.raises(ConnectionError, match="the broker is gone"):
                await future
        with pytest.raises(ConnectionError):
            await router.add(quotes("C"))
        with pytest.raises(ConnectionError):
            await router.flush()
        assert fatal == [gate.error]
        assert gate.codes(0) == [("A",)]

    run(test)


def test_interest_that_changes_when_the_next_tick_comes_then_it_counts() -> None:
    async def test() -> None:
        gate = Gate()
        interest: dict[int, Interest] = {0: frozenset({"A"})}
        router = Router(lambda: interest, gate, window_s=0)
        await router.add(quotes("A", "B"))
        interest[0] = frozenset({"B"})
        await router.add(quotes("A", "B"))
        interest[7] = "*"
        await router.add(quotes("A", "B", "C"))
        del interest[0]
        await router.add(quotes("B"))
        assert gate.codes(0) == [("A",), ("B",), ("B",)]
        assert gate.codes(7) == [("A", "B", "C"), ("B",)]

    run(test)


def test_more_codes_than_the_matrix_has_room_for_when_added_then_each_is_routed() -> None:
    async def test() -> None:
        gate = Gate()
        codes = [f"{i:06}" for i in range(3_000)]
        router = Router(fixed({0: frozenset(codes[::7]), 1: frozenset(codes[2_900:])}), gate, window_s=0)
        await asyncio.gather(*(router.add(quotes(*codes[i : i + 100])) for i in range(0, 3_000, 100)))
        assert [code for part in gate.codes(0) for code in part] == codes[::7]
        assert [code for part in gate.codes(1) for code in part] == codes[2_900:]

    run(test)


def test_more_quotes_than_a_message_holds_when_added_then_split_in_order_and_done_with_the_last() -> None:
    async def test() -> None:
        gate = Gate()
        router = Router(fixed({0: "*"}), gate, window_s=0)
        codes = [f"{i:06}" for i in range(routing.MAX_QUOTES * 2 + 5)]
        await router.add(quotes(*codes))
        assert [len(part) for part in gate.codes(0)] == [routing.MAX_QUOTES, routing.MAX_QUOTES, 5]
        assert [code for part in gate.codes(0) for code in part] == codes

    run(test)


def test_clock_when_it_comes_then_every_slot_with_portfolios_gets_it_once_a_second_and_the_newest_last() -> None:
    async def test() -> None:
        gate = Gate()
        router = Router(fixed({0: frozenset({"A"}), 1: frozenset({"B"}), 2: frozenset()}), gate, clock_s=0.3)
        router.add(quotes(), clock=1_000)
        await until(lambda: len(gate.sent) == 2)
        for clock in range(2_000, 12_000, 1_000):
            router.add(quotes(), clock=clock)
        await asyncio.sleep(0.02)
        assert sorted((slot, ticks.clock) for slot, ticks in gate.sent) == [(0, 1_000), (1, 1_000)]
        await until(lambda: len(gate.sent) == 4)  # by itself: nothing more is added
        assert sorted((slot, ticks.clock) for slot, ticks in gate.sent[2:]) == [(0, 11_000), (1, 11_000)]
        assert all(second - first >= 0.29 for (_, first), (_, second) in zip(gate.at[:2], gate.at[2:], strict=True))
        router.add(quotes(), clock=5_000)
        await router.flush()
        assert len(gate.sent) == 4, "an older clock went out"

    run(test)


def test_clock_that_is_due_when_ticks_wait_then_it_goes_in_their_message() -> None:
    async def test() -> None:
        gate = Gate(open_=False)
        router = Router(fixed({0: "*"}), gate, clock_s=0, window_s=0)
        first = router.add(quotes("A"))
        await until(lambda: len(gate.sent) == 1)
        second = router.add(quotes("B"), clock=7_000)
        gate.open()
        await asyncio.gather(first, second)
        assert [(ticks.codes, ticks.clock) for _, ticks in gate.sent] == [(("A",), 0), (("B",), 7_000)]

    run(test)


def test_flush_when_a_clock_is_held_back_then_it_is_sent_before_flush_returns() -> None:
    async def test() -> None:
        gate = Gate()
        router = Router(fixed({0: "*"}), gate, clock_s=3_600)
        await router.add(quotes("A"), clock=1_000)
        router.add(quotes("B"), clock=2_000)
        router.add(quotes(), clock=1_500)  # another partition's, which is behind
        await router.flush()
        assert max(ticks.clock for _, ticks in gate.sent) == 2_000
        assert [code for part in gate.codes(0) for code in part] == ["A", "B"]

    run(test)


def test_close_delivers_what_was_taken_and_sends_no_clock_later() -> None:
    async def scene() -> None:
        sent: list[tuple[int, Ticks]] = []

        async def send(slot: int, value: bytes) -> None:
            sent.append((slot, decode_ticks(value)))

        router = Router(lambda: {1: "*"}, send, window_s=0.0, clock_s=0.05)
        router.add(no_quotes(), 1_000)
        await router.flush()
        router.add(no_quotes(), 2_000)  # due only when clock_s is over
        await router.close()
        delivered = len(sent)
        late = router.add(no_quotes(), 3_000)
        await asyncio.sleep(0.15)
        assert len(sent) == delivered
        assert not late.done()

    asyncio.run(scene())
