"""What `list` and `show` print of portfolios with and without a snapshot."""

from __future__ import annotations

import json
from decimal import Decimal

import yaml

from ginkgo_streams.config import load_settings
from ginkgo_streams.portfolios.store import open_store
from ginkgo_streams.storage.snapshots import SnapshotStore
from tests.integration.storage.samples import snapshot
from tests.servers.program import Program

NEW, RUNNING = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"


def _stored() -> None:
    store = open_store(load_settings())
    store.insert(NEW, "New", "u1", Decimal("100000.5"), {"strategy": {"name": "TrendFollowStrategy"}})
    store.insert(RUNNING, "Running", "u2", Decimal(100000), {"sizer": {"params": {"amount": 10000}}})
    config = {"sizer": {"params": {"amount": 20000}}}
    orders = [{"code": "000002.SZ", "volume": 100}]
    SnapshotStore(store.engine).save([snapshot(RUNNING, config=config, drops={"stale_signal": 3}, open_orders=orders)])


def test_list_when_some_run_then_rows_are_whole_and_in_order(ginkgo: Program) -> None:
    _stored()
    assert [line.split() for line in ginkgo("portfolio", "list").out.splitlines()] == [
        ["PORTFOLIO", "NAME", "USER", "STATUS", "CASH", "TOTAL", "VALUE", "POSITIONS", "NODE"],
        [NEW, "New", "u1", "created", "100000.50", "100000.50", "0", "-"],
        [RUNNING, "Running", "u2", "running", "89494.89", "100094.89", "1", "n1"],
    ]
    assert [each["portfolio_id"] for each in json.loads(ginkgo("portfolio", "list", "--status", "running", "--json").out)] == [RUNNING]
    assert [each["name"] for each in json.loads(ginkgo("portfolio", "list", "--user-id", "u1", "--json").out)] == ["New"]


def test_show_when_it_runs_then_state_orders_drops_and_config_are_there(ginkgo: Program) -> None:
    _stored()
    out = ginkgo("portfolio", "show", RUNNING).out
    assert "- 000001.SZ: LONG 1000 shares @ 10.51, current 10.60, P/L +94.90\n" in out
    assert "- stale_signal: 3\n" in out
    assert "000002.SZ" in out
    assert yaml.safe_load(out.partition("Config:\n")[2]) == {"sizer": {"params": {"amount": 20000}}}  # that of the state
    shown = json.loads(ginkgo("portfolio", "show", RUNNING, "--json").out)
    assert shown["portfolio"]["cash"] == 89494.8949
    assert shown["snapshot"]["positions"][0]["cost_price"] == 10.5051


def test_status_when_there_is_no_snapshot_then_the_row_is_shown(ginkgo: Program) -> None:
    _stored()
    lines = ginkgo("portfolio", "status", NEW).out.splitlines()
    assert lines[1:7] == ["Name: New", "Status: created", "Cash: 100000.50", "Total Value: 100000.50", "Position Count: 0", "Node: -"]
    assert ginkgo("portfolio", "positions", NEW).out == "Positions:\n(none)\n"


def test_status_when_it_is_in_error_then_the_reason_is_shown(ginkgo: Program) -> None:
    SnapshotStore(open_store(load_settings()).engine).save([snapshot(RUNNING, status="error", error="boom")])
    assert "Error: boom" in ginkgo("portfolio", "status", RUNNING).out
