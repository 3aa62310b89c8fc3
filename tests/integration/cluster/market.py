"""A market made by the test: prices and the clock on the market data topic, in event time, by a producer of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

from ginkgo_streams import messages as m
from ginkgo_streams.domain.market import sessions
from ginkgo_streams.domain.market.profile import Profile
from ginkgo_streams.partitioner import partition_of
from ginkgo_streams.topics import MARKET_DATA

from .topics import Topics

STEP_MS = 1_000


class Market:
    """Codes with a price each, on the first trading day after today (so that no command is of a later day than a price)."""

    def __init__(self, topics: Topics, profile: Profile, partitions: int, prices: Mapping[str, float]) -> None:
        self.topics, self.partitions = topics, partitions
        self.prices = dict(prices)
        self.prev_close = dict(prices)
        self.profile = profile
        self.day = profile.next_trading_day(datetime.now(UTC).date().toordinal() + 1)
        self.now = sessions.moment(self.day, sessions.CONTINUOUS)
        self._turn = 0

    def update(self, code: str, volume: int = 0) -> m.PriceUpdate:
        """A code's price as it stands, dated now."""
        return m.PriceUpdate(
            timestamp=m.iso(self.now), code=code, price=self.prices[code], volume=volume, prev_close=self.prev_close[code], seq=self.now
        )

    def step(self, prices: Mapping[str, float] | None = None, volume: int = 100_000) -> None:
        """A second of the market: all codes, changed or not, as a feed says them, and the clock. volume: shares traded in each."""
        self.now += STEP_MS
        self.prices.update(prices or {})
        by_partition: dict[int, list[m.PriceUpdate]] = {}
        for code in self.prices:
            by_partition.setdefault(partition_of(code, self.partitions), []).append(self.update(code, volume))
        records: list[tuple[bytes | None, bytes, int | None]] = [
            (updates[0].code.encode(), m.encode(updates), partition) for partition, updates in by_partition.items()
        ]
        clock = m.encode(m.ClockTick(timestamp=m.iso(self.now)))
        self.topics.send_all(MARKET_DATA, [*records, *((b"clock", clock, partition) for partition in range(self.partitions))])

    def cross_up(self, code: str, volume: int = 0) -> None:
        """A golden cross of TrendFollowStrategy(short_period=1, long_period=2): flat, flat, up. volume 0: nothing fills by it."""
        price = self.prices[code]
        for each in (price, price, round(price + 0.02, 2)):
            self.step({code: each}, volume)

    def next_day(self) -> None:
        """Close this day and open the next."""
        self.now = self.profile.close_ts(self.day) + 60_000
        self.step_clock()
        self.day = self.profile.next_trading_day(self.day)
        self.prev_close = dict(self.prices)
        self.now = sessions.moment(self.day, sessions.CONTINUOUS)
        self.step_clock()

    def step_clock(self) -> None:
        """Only the time, on every partition."""
        clock = m.encode(m.ClockTick(timestamp=m.iso(self.now)))
        self.topics.send_all(MARKET_DATA, [(b"clock", clock, partition) for partition in range(self.partitions)])

    def swing(self, volume: int = 100_000) -> None:
        """A step in which every code moves up or down by turns, so that every averages' cross comes again and again."""
        self._turn += 1
        moved = {}
        for number, code in enumerate(self.prices):
            up = (self._turn + number) % 5 < 2
            moved[code] = round(self.prev_close[code] * (1.01 if up else 0.99), 2)
        self.step(moved, volume)

    @contextmanager
    def trading(self, pause_s: float = 0.1) -> Iterator[None]:
        """Swings in the background while the block runs; what goes wrong with them is raised at its end."""
        stop, errors = threading.Event(), list[BaseException]()

        def go() -> None:
            try:
                while not stop.wait(pause_s):
                    self.swing()
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=go, name="market")
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
        if errors:
            raise errors[0]
