"""Bars as price updates: what a step has and when it comes, which are left out, and the real bars from first to last day."""

from __future__ import annotations

from pathlib import Path

import pytest

from ginkgo_streams.bars.columns import BadBars, Bars
from ginkgo_streams.bars.load import Source, load_bars
from ginkgo_streams.feeds.replay import replay, replayable
from ginkgo_streams.messages import PriceUpdate, iso, quotes
from tests.unit.backtest.samples import CN

DATA = Path(__file__).parents[4] / "shared" / "data" / "000001.SZ.daily.csv"
TUSHARE = "ts_code,trade_date,open,high,low,close,pre_close,change,pct_chg,vol,amount\n"
PLAIN = "date,open,high,low,close,volume\n"
MINUTES = "datetime,open,high,low,close,volume\n"


def file(folder: Path, text: str, name: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def bars(*paths: Path) -> Bars:
    return load_bars(Source(bars=paths), CN)


def two(folder: Path) -> Bars:
    """Bars of two codes, on days that overlap, the second file newest first as Tushare serves them."""
    return bars(
        file(folder, PLAIN + "2024-01-02,10,11,9,10,1\n2024-01-03,10,11,9,10,1\n", "000001.SZ.csv"),
        file(folder, PLAIN + "2024-01-04,10,11,9,10,1\n2024-01-03,10,11,9,10,1\n", "000002.SZ.csv"),
    )


def test_tushare_bar_when_replayed_then_lots_are_shares_and_its_time_is_the_close_in_shanghai(tmp_path: Path) -> None:
    text = TUSHARE + "000001.SZ,20150105,15.99,16.28,15.6,16.02,15.84,0.18,1.14,2860436.43,4565387.8464\n"
    (step,) = replay(bars(file(tmp_path, text, "bars.csv")))
    assert iso(step.time_ms) == "2015-01-05T07:00:00.000Z"
    assert step.updates == [
        PriceUpdate(
            timestamp="2015-01-05T07:00:00.000Z", code="000001.SZ", price=16.02, volume=286_043_643, open=15.99, high=16.28, low=15.6,
            close=16.02, prev_close=15.84, seq=step.time_ms, interval="1d",
        )
    ]  # fmt: skip


def test_bars_of_several_codes_when_replayed_then_a_step_a_day_with_all_of_them(tmp_path: Path) -> None:
    steps = list(replay(two(tmp_path), speed=86_400))
    assert [[update.code for update in step.updates] for step in steps] == [["000001.SZ"], ["000001.SZ", "000002.SZ"], ["000002.SZ"]]
    assert [step.wait_s for step in steps] == [0, 1, 1]
    assert [step.wait_s for step in replay(two(tmp_path))] == [0, 0, 0]
    assert {update.prev_close for step in steps for update in step.updates} == {None}


def test_bars_when_published_already_then_left_out(tmp_path: Path) -> None:
    steps = list(replay(two(tmp_path)))
    assert list(replay(two(tmp_path), after_ms=steps[1].time_ms)) == [(steps[2].time_ms, steps[2].updates, 0.0)]
    assert list(replay(two(tmp_path), after_ms=steps[2].time_ms)) == []


def test_codes_when_named_then_only_theirs_and_one_without_bars_is_said(tmp_path: Path) -> None:
    steps = list(replay(replayable(two(tmp_path), ["000002.SZ"])))
    assert [[update.code for update in step.updates] for step in steps] == [["000002.SZ"], ["000002.SZ"]]
    with pytest.raises(BadBars, match=r"there are no bars of 600000\.SH; there are of 000001\.SZ, 000002\.SZ"):
        replayable(two(tmp_path), ["000001.SZ", "600000.SH"])


@pytest.mark.parametrize(("minutes", "interval"), [(1, "1m"), (5, "5m")])
def test_minute_bars_when_replayed_then_their_length_is_said_and_of_each_code_its_own(tmp_path: Path, minutes: int, interval: str) -> None:
    lines = [f"2024-01-02 10:{minutes * n:02},10,11,9,10,1\n" for n in range(1, 4)]
    other = [f"2024-01-02 10:{n:02},10,11,9,10,1\n" for n in range(1, 4)]
    both = bars(file(tmp_path, MINUTES + "".join(lines), "000001.SZ.csv"), file(tmp_path, MINUTES + "".join(other), "000002.SZ.csv"))
    steps = list(replay(both, speed=60))
    assert {(u.code, u.interval) for step in steps for u in step.updates} == {("000001.SZ", interval), ("000002.SZ", "1m")}
    assert [step.wait_s for step in steps[:2]] == [0, 1]
    assert steps[0].updates[-1].timestamp == "2024-01-02T02:01:00.000Z"


def test_bars_when_no_price_update_has_their_length_then_refused(tmp_path: Path) -> None:
    text = MINUTES + "".join(f"2024-01-02 10:{n},10,11,9,10,1\n" for n in (15, 30, 45))
    with pytest.raises(BadBars, match=r"bars of 000001\.SZ are 15 minutes long; those of 1m, 5m, 1d can be replayed"):
        replayable(bars(file(tmp_path, text, "000001.SZ.csv")))


def test_speed_when_negative_or_no_number_then_refused(tmp_path: Path) -> None:
    for speed in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="speed is"):
            replay(two(tmp_path), speed=speed)


@pytest.mark.skipif(not DATA.exists(), reason=f"the real bars are not at {DATA}")
def test_real_bars_when_replayed_then_every_day_from_first_to_last() -> None:
    steps = list(replay(bars(DATA)))
    lines = DATA.read_text().splitlines()[1:]
    assert len(steps) == len(lines) == 2_651
    assert iso(steps[0].time_ms)[:10] == "2015-01-05"
    assert iso(steps[-1].time_ms)[:10] == "2025-11-28"
    taken = quotes([update for step in steps for update in step.updates])
    assert taken.data.shape[1] == 2_651
    for line, step in zip(lines, steps, strict=True):
        _, day, *prices, _, _, volume, _ = line.split(",")
        (update,) = step.updates
        assert update.timestamp == f"{day[:4]}-{day[4:6]}-{day[6:]}T07:00:00.000Z"
        assert [update.open, update.high, update.low, update.close, update.prev_close] == [float(price) for price in prices]
        assert update.volume == round(float(volume) * 100)
