"""Bars from CSV files: both layouts, each way a file can be wrong, and the real bars from first to last day."""

from __future__ import annotations

from pathlib import Path

import pytest

from ginkgo_streams.feeds.replay import BadBars, read_bars, replay
from ginkgo_streams.messages import PriceUpdate, iso, quotes

DATA = Path(__file__).parents[4] / "shared" / "data" / "000001.SZ.daily.csv"
TUSHARE = "ts_code,trade_date,open,high,low,close,pre_close,change,pct_chg,vol,amount\n"
PLAIN = "date,open,high,low,close,volume\n"


def file(folder: Path, text: str, name: str = "bars.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_tushare_bar_when_read_then_lots_are_shares_and_its_time_is_the_close_in_shanghai(tmp_path: Path) -> None:
    path = file(tmp_path, TUSHARE + "000001.SZ,20150105,15.99,16.28,15.6,16.02,15.84,0.18,1.14,2860436.43,4565387.8464\n")
    (step,) = replay([path])
    assert iso(step.time_ms) == "2015-01-05T07:00:00.000Z"
    assert step.updates == [
        PriceUpdate(
            timestamp="2015-01-05T07:00:00.000Z", code="000001.SZ", price=16.02, volume=286_043_643, open=15.99, high=16.28, low=15.6,
            close=16.02, prev_close=15.84, seq=step.time_ms, interval="1d",
        )
    ]  # fmt: skip


def test_plain_bar_when_read_then_the_code_is_the_options_or_the_file_names(tmp_path: Path) -> None:
    text = PLAIN + "2024-01-02,10,11,9,10.5,1200\n"
    (bar,) = read_bars(file(tmp_path, text), "600000.SH")
    assert (bar.code, bar.volume, bar.prev_close) == ("600000.SH", 1_200, None)
    assert read_bars(file(tmp_path, text, "000002.SZ.csv"))[0].code == "000002.SZ"
    with pytest.raises(BadBars, match=r"bars\.csv: no code in the file or its name"):
        read_bars(file(tmp_path, text))
    with pytest.raises(BadBars, match=r"code '600000' is not like 600000\.SH"):
        read_bars(file(tmp_path, text), "600000")


def test_files_of_several_codes_when_replayed_then_a_step_a_day_with_all_of_them(tmp_path: Path) -> None:
    one = file(tmp_path, PLAIN + "2024-01-02,10,11,9,10,1\n2024-01-03,10,11,9,10,1\n", "000001.SZ.csv")
    other = file(tmp_path, PLAIN + "2024-01-04,10,11,9,10,1\n2024-01-03,10,11,9,10,1\n", "000002.SZ.csv")  # newest first, as Tushare serves
    steps = list(replay([one, other], speed=86_400))
    assert [[update.code for update in step.updates] for step in steps] == [["000001.SZ"], ["000001.SZ", "000002.SZ"], ["000002.SZ"]]
    assert [step.wait_s for step in steps] == [0, 1, 1]
    assert [step.wait_s for step in replay([one, other])] == [0, 0, 0]
    assert list(replay([one, other], after_ms=steps[1].time_ms)) == [(steps[2].time_ms, steps[2].updates, 0.0)]
    with pytest.raises(BadBars, match=r"000001\.SZ has two bars of 2024-01-02, in different files"):
        replay([one, one])


GOOD = "000001.SZ,20240102,10,11,9,10.5,10,0,0,5,5\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: missing column date, open, high, low, close, volume; found nothing"),
        (TUSHARE, "has no bars"),
        ("ts_code,trade_date,open,high,low,vol\n", "line 1: missing column close; found ts_code, trade_date, open"),
        (TUSHARE + GOOD + GOOD.replace("20240102,10", "20240103,NaN"), "line 3: column open: 'NaN' is no finite number"),
        (TUSHARE + GOOD.replace("10.5", "-10.5"), "line 2: column close: '-10.5' is negative"),
        (TUSHARE + GOOD.replace("10.5", "ten"), "line 2: column close: 'ten' is no number"),
        (TUSHARE + GOOD.replace("10.5", ""), "line 2: column close: '' is no number"),
        (TUSHARE + GOOD.replace("10.5", "0"), "line 2: column close: '0' is no price"),
        (TUSHARE + GOOD.replace("10.5", "10.12345"), "line 2: column close: '10.12345' has more than four decimals"),
        (TUSHARE + GOOD.replace("11,9", "8.99,9"), r"line 2: column high: '8.99' is below the low of 9.0"),
        (TUSHARE + GOOD.replace("10.5", "11.01"), r"line 2: column close: '11.01' is outside low 9.0 to high 11.0"),
        (TUSHARE + GOOD.replace("0,0,5,5", "0,0,-5,5"), "line 2: column vol: '-5' is negative"),
        (TUSHARE + GOOD.replace("20240102", "20240231"), "line 2: column trade_date: '20240231' is no date"),
        (TUSHARE + GOOD.replace("000001.SZ", "1.SZ"), r"line 2: column ts_code: '1.SZ' is no code like 600000.SH"),
        (TUSHARE + GOOD + GOOD, r"line 3: 000001\.SZ has 2024-01-02 twice"),
        (
            TUSHARE + GOOD + GOOD.replace("20240102", "20240104") + GOOD.replace("20240102", "20240103"),
            r"line 4: 000001\.SZ: 2024-01-03 follows 2024-01-04: sort the file by date",
        ),
        (TUSHARE + "000001.SZ,20240102,10\n", "line 2: column high: None is no number"),
        (PLAIN + "2024-1-2x,10,11,9,10,1\n", "line 2: column date: '2024-1-2x' is no date"),
    ],
)
def test_file_when_wrong_then_file_line_column_and_value_are_named(tmp_path: Path, text: str, said: str) -> None:
    path = file(tmp_path, text, "000001.SZ.csv")
    with pytest.raises(BadBars, match=said) as error:
        replay([path])
    assert str(error.value).startswith(f"{path}: ")


def test_file_when_not_there_or_not_text_then_said(tmp_path: Path) -> None:
    with pytest.raises(BadBars, match=r"none\.csv: cannot be read: No such file"):
        read_bars(tmp_path / "none.csv")
    (tmp_path / "bad.csv").write_bytes(b"date,open\n\xff\xfe\x00")
    with pytest.raises(BadBars, match=r"bad\.csv: is no CSV in UTF-8"):
        read_bars(tmp_path / "bad.csv")


def test_speed_when_negative_or_no_number_then_refused(tmp_path: Path) -> None:
    path = file(tmp_path, TUSHARE + GOOD)
    for speed in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="speed is"):
            replay([path], speed=speed)


@pytest.mark.skipif(not DATA.exists(), reason=f"the real bars are not at {DATA}")
def test_real_bars_when_replayed_then_every_day_from_first_to_last() -> None:
    steps = list(replay([DATA]))
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
