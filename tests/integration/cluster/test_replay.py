"""Livecore replays files of bars: what comes out on the market data topic, once, and what is said of files that are wrong."""

from __future__ import annotations

from pathlib import Path

from ginkgo_streams import messages as m
from ginkgo_streams.topics import MARKET_DATA
from tests.integration.cluster.harness import Cluster, until

MINUTES = "datetime,open,high,low,close,volume\n"
DAYS = "date,open,high,low,close,volume\n"


def updates(cluster: Cluster) -> list[m.PriceUpdate]:
    """Every price on the market data topic."""
    found: list[m.PriceUpdate] = []
    for record in cluster.topics.records(MARKET_DATA):
        found += [message for message in m.decode_market(record.value) if isinstance(message, m.PriceUpdate)]
    return found


def test_minute_bars_of_a_folder_when_replayed_then_only_the_codes_asked_for_and_none_twice_over_a_restart(
    cluster: Cluster, tmp_path: Path
) -> None:
    for code in ("000001.SZ", "000002.SZ"):
        lines = [f"2026-01-05 10:{minute:02},10,11,9,10.{minute:02},100\n" for minute in range(1, 11)]
        (tmp_path / f"{code}.csv").write_text(MINUTES + "".join(lines))
    options = ("--file", str(tmp_path), "--codes", "000002.SZ")
    first = cluster.livecore("livecore_001", *options, source="replay")
    first.wait_for("Feed ended after 10 price updates")
    assert first.stop() == 0
    (tmp_path / "000002.SZ.csv").open("a").write("2026-01-05 10:11,10,11,9,10.11,100\n")
    second = cluster.livecore("livecore_001", *options, source="replay")
    second.wait_for("Feed ended after 1 price updates")

    until(lambda: len(updates(cluster)) >= 11, cluster.logs)
    found = updates(cluster)
    assert {(u.code, u.interval, u.volume) for u in found} == {("000002.SZ", "1m", 100)}
    assert [(u.timestamp, u.price) for u in found] == [
        (f"2026-01-05T02:{minute:02}:00.000Z", float(f"10.{minute:02}")) for minute in range(1, 12)
    ]
    assert second.stop() == 0


def test_wrong_bars_when_livecore_starts_then_one_line_with_the_cell_and_exit_1(cluster: Cluster, tmp_path: Path) -> None:
    path = tmp_path / "000001.SZ.csv"
    path.write_text(DAYS + "2026-01-05,10,11,9,10,100\n2026-01-06,10,8,9,10,100\n")
    process = cluster.livecore("livecore_bad", "--file", str(path), source="replay", ready=False)
    assert process.wait_end() == 1, process.text()
    assert process.lines()[-1] == f"[ERROR] {path}: line 3: column high: '8' is below the low of 9"
    assert "Traceback" not in process.text()
