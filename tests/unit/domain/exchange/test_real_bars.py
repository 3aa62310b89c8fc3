"""Eleven years of real daily bars through the exchange, with a seeded stream of orders against them."""

from __future__ import annotations

import csv
from collections import Counter
from datetime import date
from pathlib import Path
from random import Random

import pytest

from ginkgo_streams import sessions
from ginkgo_streams.domain.events import BUY, FIELDS, SELL, Order, Report
from ginkgo_streams.domain.exchange.exchange import Exchange
from ginkgo_streams.domain.exchange.settings import ExchangeSettings
from ginkgo_streams.domain.market.cn import cn
from tests.unit.domain.exchange.floor import CODE, always, order, quotes, row

DAILY = Path(__file__).parents[5] / "shared" / "data" / "000001.SZ.daily.csv"
PRICE, OPEN, HIGH, LOW, PREV, VOLUME, TS = (FIELDS.index(n) for n in ("price", "open", "high", "low", "prev_close", "volume", "ts"))


def bars() -> list[list[int]]:
    """Every bar as a column of `Quotes.data`: stamped 15:00 in Shanghai, one day long."""
    with DAILY.open() as file:
        return [
            row(
                date.fromisoformat(r["trade_date"]).isoformat() + "T15:00:00", float(r["close"]), round(float(r["vol"]) * 100),
                open=float(r["open"]), high=float(r["high"]), low=float(r["low"]), prev_close=float(r["pre_close"]), interval=86_400_000,
            )
            for r in csv.DictReader(file)
        ]  # fmt: skip


def some_orders(random: Random, bar: list[int], number: int) -> list[Order]:
    """None to three orders stamped with the close: market, or limits up to 12 % away, so that some are outside."""
    found = []
    for n in range(random.randrange(4)):
        limit = 0 if random.random() < 0.3 else round(bar[PRICE] * random.uniform(0.88, 1.12) / 100) / 100
        volume = random.choice([100, 1_000, 50_000, 1_000_000])
        found.append(order(f"{number}.{n}", volume, limit, bar[TS], random.choice([BUY, SELL])))
    return found


@pytest.mark.skipif(not DAILY.exists(), reason=f"the real bars are not at {DAILY}")
def test_real_bars_when_seeded_orders_run_through_them_then_every_invariant_holds() -> None:
    random = Random(7)
    profile = cn(sessions.trading_calendar())
    exchange = Exchange(profile, ExchangeSettings(participation=0.01, slippage_rate=0.001))
    sent: dict[str, Order] = {}
    ends: Counter[str] = Counter()
    done: Counter[str] = Counter()
    series = bars()
    assert len(series) == 2_651
    for number, bar in enumerate(series):
        day = profile.trading_day(bar[TS])
        assert profile.is_trading_day(day)
        limits = profile.price_limits(CODE, bar[PREV], day)
        assert limits is not None
        reports = exchange.on_quotes(quotes(bar), always).reports
        fills = [report for report in reports if report.volume]
        assert sum(report.volume for report in fills) <= bar[VOLUME] // 100
        for report in fills:
            check_fill(report, sent[report.order_id], bar, limits)
            done[report.order_id] += report.volume
            assert done[report.order_id] == report.cumulative
        reports += exchange.on_clock(bar[TS] + 1_000, always).reports
        ends.update(report.kind for report in reports if report.kind != "partially_filled")
        assert all(exchange.encode(key) for key in exchange.touched())  # a checkpoint
        for value in some_orders(random, bar, number):
            sent[value.order_id] = value
            ends.update(report.kind for report in exchange.submit(value).reports if report.kind != "ack")
    exchange.on_clock(series[-1][TS] + 5 * 86_400_000, always)
    ends["expired"] += sum(report.kind == "expired" for report in exchange.reports())
    assert sum(ends.values()) >= len(sent) - 3
    assert min(ends["filled"], ends["expired"], ends["rejected"]) > 100
    assert len(exchange.reports()) < 100  # what is older than three trading days is forgotten


def check_fill(report: Report, source: Order, bar: list[int], limits: tuple[int, int]) -> None:
    """A fill is within limits, lots and the order; never in front of it; never at a limit where nobody is on the other side."""
    assert limits[0] <= report.price <= limits[1]
    assert report.price % 100 == 0
    assert report.volume % 100 == 0 or report.remaining == 0 or report.volume < 100  # under a lot only where no more was free
    assert 0 < report.cumulative <= source.volume
    assert report.remaining == source.volume - report.cumulative
    assert report.ts - 86_400_000 >= source.ts
    if source.limit:
        assert (report.price - source.limit) * source.direction <= 0
        assert bar[LOW] <= report.price <= bar[HIGH]
        assert report.price != (limits[1] if source.direction == BUY else limits[0])
    else:
        assert report.price == pytest.approx(bar[OPEN] * (1 + 0.001 * source.direction), abs=100)
