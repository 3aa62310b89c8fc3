"""Bars from files: what is understood, and what is refused with file, line, column and value."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ginkgo_streams.bars.columns import BadBars, Bars
from ginkgo_streams.bars.load import Source, load_bars
from ginkgo_streams.domain import events as e
from ginkgo_streams.domain.market.profile import Profile
from tests.unit.backtest.samples import CN, GENERIC, days, flat, walk, write
from tests.unit.domain.market.shanghai import at

GOOD = "2026-01-05,10,10.5,9.5,10.2,1000\n2026-01-06,10.2,10.4,10,10.1,2000\n2026-01-07,10.1,10.3,10,10.2,1500\n"


def load(path: Path, market: Profile = CN, **others: object) -> Bars:
    return load_bars(Source(bars=path, **others), market)  # type: ignore[arg-type]


def csv(folder: Path, text: str, name: str = "000001.SZ.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def plain(folder: Path, body: str) -> Path:
    return csv(folder, "date,open,high,low,close,volume\n" + body)


def test_daily_bars_when_loaded_then_they_end_at_the_close_in_units(tmp_path: Path) -> None:
    bars = load(plain(tmp_path, GOOD))
    assert bars.codes == ("000001.SZ",)
    assert bars.data[e.TS].tolist() == [at(f"2026-01-0{d}T15:00:00") for d in (5, 6, 7)]
    assert bars.data[[e.OPEN, e.HIGH, e.LOW, e.CLOSE, e.PRICE], 0].tolist() == [100_000, 105_000, 95_000, 102_000, 102_000]
    assert bars.data[e.VOLUME].tolist() == [1000, 2000, 1500]
    assert set(bars.data[e.INTERVAL].tolist()) == {86_400_000}
    assert bars.warnings == []


def test_tushare_columns_when_newest_first_then_turned_round_and_lots_are_shares(tmp_path: Path) -> None:
    text = "ts_code,trade_date,open,high,low,close,pre_close,vol,amount\n" + "".join(
        f"000001.SZ,2026010{d},10,11,9.5,10.{d},10,12.5,1\n" for d in (7, 6, 5)
    )
    bars = load(csv(tmp_path, text, "any.csv"))
    assert bars.data[e.PRICE].tolist() == [105_000, 106_000, 107_000]
    assert bars.data[e.VOLUME].tolist() == [1250] * 3
    assert bars.data[e.PREV_CLOSE].tolist() == [100_000] * 3


def test_parquet_with_a_code_column_when_loaded_then_as_the_csv(tmp_path: Path) -> None:
    frame = pd.DataFrame({
        "code": ["000001.SZ", "600000.SH"] * 2, "date": pd.to_datetime(["2026-01-05"] * 2 + ["2026-01-06"] * 2), "open": [10.0, 20.0] * 2,
        "high": [10.5, 20.5] * 2, "low": [9.5, 19.5] * 2, "close": [10.0, 20.0] * 2, "volume": [100, 200] * 2,
    })  # fmt: skip
    frame.to_parquet(tmp_path / "bars.parquet")
    frame.to_csv(tmp_path / "bars.csv", index=False)
    one, other = load(tmp_path / "bars.parquet"), load(tmp_path / "bars.csv")
    assert one.codes == other.codes == ("000001.SZ", "600000.SH")
    assert np.array_equal(one.data, other.data)
    assert [len(quotes) for quotes in one.moments()] == [2, 2]


def test_a_folder_when_loaded_then_a_file_is_a_code_and_moments_go_by_time(tmp_path: Path) -> None:
    write(tmp_path / "000001.SZ.csv", walk(5, 1), days(5))
    write(tmp_path / "600000.SH.csv", walk(3, 2), days(5)[2:])
    moments = list(load(tmp_path).moments())
    assert [quotes.codes for quotes in moments] == [("000001.SZ",)] * 2 + [("000001.SZ", "600000.SH")] * 3


def test_minutes_when_stamped_at_their_start_then_they_end_a_minute_later(tmp_path: Path) -> None:
    body = "".join(f"2026-01-05 09:3{n}:00,10,10,10,10,5\n" for n in range(1, 4))
    ends = load(plain(tmp_path, body)).data[e.TS].tolist()
    starts = load(plain(tmp_path, body), stamp="start").data[e.TS].tolist()
    assert ends[0] == at("2026-01-05T09:31:00")
    assert [ts - 60_000 for ts in starts] == ends


def test_foreign_data_when_generic_then_the_code_is_the_file_and_an_unnamed_index_is_the_date(tmp_path: Path) -> None:
    path = csv(tmp_path, ",Open,High,Low,Close,Volume\n2004-08-19,100,104.06,95.96,100.34,22351900\n", "GOOG.csv")
    bars = load(path, GENERIC)
    assert bars.codes == ("GOOG",)
    assert bars.data[e.TS].tolist() == [GENERIC.close_ts(date(2004, 8, 19).toordinal())]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("2026-01-05,10,10.5,9.5,,1000\n", "line 2: column close: '' is empty"),
        ("2026-01-05,10,10.5,9.5,abc,1000\n", "line 2: column close: 'abc' is no finite number"),
        ("2026-01-05,10,10.5,9.5,nan,1000\n", "column close: '' is empty"),
        (GOOD + "2026-01-08,10,10.5,0,10,1000\n", "line 5: column low: '0.0' is no price"),
        (GOOD + "2026-01-08,-10,10.5,9,10,1000\n", "line 5: column open: '-10.0' is negative"),
        (GOOD + "2026-01-08,10,9,9.5,9.2,1000\n", "line 5: column high: '9.0' is below the low of 9.5"),
        (GOOD + "2026-01-08,10,11,9.5,11.5,1000\n", "line 5: column close: '11.5' is outside low 9.5 to high 11.0"),
        (GOOD + "2026-01-08,10,11,9.5,10,-1\n", "line 5: column volume: '-1' is negative"),
        (GOOD + "2026-01-07,10,11,9.5,10,1\n", "line 5: column date: '2026-01-07' is there twice for 000001.SZ"),
        (GOOD + "2026-01-06,10,11,9.5,10,1\n", "line 5: column date: '2026-01-06' of 000001.SZ follows 2026-01-07: sort the file"),
        (GOOD + "2026-13-06,10,11,9.5,10,1\n", "line 5: column date: '2026-13-06' is no date or time"),
        (GOOD + "2026-01-10,10,11,9.5,10,1\n", "line 5: column date: '2026-01-10' is no trading day of the market CN"),
        (GOOD + "2026-01-08,10,11,9.5,10.00001,1\n", "line 5: column close: '10.00001' has more than four decimals"),
    ],
)
def test_a_bad_cell_when_loaded_then_file_line_column_and_value_are_named(tmp_path: Path, body: str, said: str) -> None:
    path = plain(tmp_path, body)
    with pytest.raises(BadBars) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)


TUSHARE = "ts_code,trade_date,open,high,low,close,vol\n000001.SZ,20260105,10,11,9,10.5,5\n"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("000001.SZ,20260106,10,11,9,10.5,-5\n", "line 3: column vol: '-5' is negative"),
        ("000001.SZ,20260231,10,11,9,10.5,5\n", "line 3: column trade_date: '20260231' is no date"),
        ("1.SZ,20260106,10,11,9,10.5,5\n", "line 3: column ts_code: '1.SZ' is no code like 600000.SH"),
        ("000001.SZ,20260106,10\n", "line 3: column high: '' is empty"),
    ],
)
def test_a_bad_line_of_tushare_when_loaded_then_refused(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(BadBars) as caught:
        load(csv(tmp_path, TUSHARE + line))
    assert said in str(caught.value)


def test_a_file_when_no_text_then_refused(tmp_path: Path) -> None:
    (tmp_path / "000001.SZ.csv").write_bytes(b"date,open\n\xff\xfe\x00")
    with pytest.raises(BadBars, match=r"000001\.SZ\.csv: is no CSV in UTF-8"):
        load(tmp_path)


def test_several_files_when_named_then_as_their_folder(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{code}.csv", [flat(10.0)] * 3, days(3)) for code in ("000001.SZ", "000002.SZ")]
    several, folder = load_bars(Source(bars=paths), CN), load(tmp_path)
    assert several.codes == folder.codes == ("000001.SZ", "000002.SZ")
    assert (several.data == folder.data).all()
    with pytest.raises(BadBars, match=r"has 2 files, so that code '600000\.SH' cannot be that of all"):
        load_bars(Source(bars=paths, code="600000.SH"), CN)


def test_a_missing_column_when_loaded_then_it_and_what_there_is_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadBars, match=r"line 1: missing column close, volume or vol; found date, open, high, low"):
        load(csv(tmp_path, "date,open,high,low\n2026-01-05,1,1,1\n"))


def test_no_file_empty_folder_or_no_rows_when_loaded_then_refused(tmp_path: Path) -> None:
    with pytest.raises(BadBars, match="no such file or folder"):
        load(tmp_path / "nowhere.csv")
    with pytest.raises(BadBars, match=r"no file that ends in \.csv or \.parquet"):
        load(tmp_path)
    with pytest.raises(BadBars, match="has no bars"):
        load(plain(tmp_path, ""))
    with pytest.raises(BadBars, match="is no CSV"):
        load(csv(tmp_path, "", "000002.SZ.csv"))


def test_a_file_without_a_code_when_cn_then_the_one_given_or_refused(tmp_path: Path) -> None:
    path = csv(tmp_path, "date,open,high,low,close,volume\n" + GOOD, "bars.csv")
    assert load(path, code="600000.SH").codes == ("600000.SH",)
    with pytest.raises(BadBars, match="no code in the file or its name"):
        load(path)
    with pytest.raises(BadBars, match=r"code '600000' is not like 600000\.SH"):
        load(path, code="600000")


def test_a_range_without_data_when_asked_for_then_it_is_said_what_there_is(tmp_path: Path) -> None:
    path = plain(tmp_path, GOOD)
    assert len(load(path, start=date(2026, 1, 6), end=date(2026, 1, 6))) == 1
    with pytest.raises(BadBars, match="has no bar from 2027-01-01 to 2026-01-07; it has 2026-01-05 to 2026-01-07"):
        load(path, start=date(2027, 1, 1))
    with pytest.raises(BadBars, match="end date 2026-01-05 is before start date 2026-01-07"):
        load(path, start=date(2026, 1, 7), end=date(2026, 1, 5))


def test_a_gap_in_the_calendar_when_loaded_then_warned_of(tmp_path: Path) -> None:
    some = days(10)
    path = write(tmp_path / "000001.SZ.csv", [flat(10.0)] * 8, some[:4] + some[6:])
    assert load(path).warnings == [f"000001.SZ: no bar on 2 trading days: {some[4]} to {some[5]}"]


def test_a_weekend_or_holiday_when_loaded_then_no_gap(tmp_path: Path) -> None:
    assert load(write(tmp_path / "000001.SZ.csv", [flat(10.0)] * 200, days(200))).warnings == []


def test_one_code_in_two_files_when_loaded_then_refused(tmp_path: Path) -> None:
    write(tmp_path / "000001.SZ.csv", [flat(10.0)], days(1))
    write(tmp_path / "000001.SZ.more.csv", [flat(10.0)], days(2)[1:])
    with pytest.raises(BadBars, match="put them into one file"):
        load(tmp_path)
