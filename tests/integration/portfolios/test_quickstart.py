"""The quickstart's own text, run: its Python blocks and its command, on a real broker."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ginkgo_streams.config import Settings
from ginkgo_streams.placement_key import slot_of
from ginkgo_streams.storage.portfolios import DuplicateName, PortfolioStore
from ginkgo_streams.storage.snapshots import SnapshotStore
from tests.integration.portfolios.conftest import Sent
from tests.integration.storage.samples import snapshot
from tests.servers.program import Program

QUICKSTART = Path(__file__).parents[4] / "shared" / "spec" / "quickstart.zh.md"
if not QUICKSTART.exists():
    pytest.skip(f"the quickstart is not at {QUICKSTART}", allow_module_level=True)
TEXT = QUICKSTART.read_text(encoding="utf-8")


def _block(language: str, holding: str) -> str:
    """The code block of the quickstart that holds a text."""
    blocks: list[str] = re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    return next(block for block in blocks if holding in block)


CREATE, SHOW = _block("python", "add_portfolio"), _block("python", "get_portfolio_positions")
COMMAND = shlex.split(_block("bash", "ginkgo portfolio create").replace("\\\n", " "))


def test_quickstart_when_its_python_runs_then_row_and_commands_are_there_and_state_is_read(
    settings: Settings, store: PortfolioStore, control: Callable[[str], Sent], capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, Any] = {}
    exec(CREATE, names)
    portfolio_id = names["portfolio_id"]
    assert capsys.readouterr().out == f"Portfolio created: {portfolio_id}\n"
    row = store.get(portfolio_id)
    assert row is not None
    assert (row.name, row.user_id, row.status, int(row.initial_cash)) == ("My First Live Portfolio", "user_uuid", "created", 100_000)

    sent = control(portfolio_id)
    assert [(key.decode(), command.command_type) for _, key, command in sent] == [
        (portfolio_id, "portfolio.create"),
        (portfolio_id, "portfolio.start"),
    ]
    assert {partition for partition, _, _ in sent} == {slot_of(portfolio_id, settings.kafka.slots)}
    params = sent[0][2].params
    assert params["config"]["strategy"]["params"] == {"short_period": 5, "long_period": 20}
    assert (params["name"], params["user_id"], params["initial_cash"]) == ("My First Live Portfolio", "user_uuid", 100_000)

    SnapshotStore(store.engine).save([snapshot(portfolio_id, cash=95000, total_value=150000.5)])
    exec(SHOW, names)
    assert capsys.readouterr().out == "Cash: 95000\nTotal Value: 150000.5\n000001.SZ: LONG 1000 @ 10.5051\n"
    assert names["status"]["node_id"] == "n1"
    with pytest.raises(DuplicateName):
        exec(CREATE, {})


def test_quickstart_when_its_command_runs_and_no_node_is_up_then_created_and_told_so(
    settings: Settings, store: PortfolioStore, control: Callable[[str], Sent], ginkgo: Program
) -> None:
    assert COMMAND[:3] == ["ginkgo", "portfolio", "create"]
    result = ginkgo(*COMMAND[1:])
    portfolio_id = store.list()[0].uuid
    assert result.code == 0
    assert result.out == (
        f"Portfolio created: {portfolio_id}\nNo execution node and no livecore is running: it is kept and starts when it is up\n"
    )
    assert [command.command_type for _, _, command in control(portfolio_id)] == ["portfolio.create", "portfolio.start"]

    again = ginkgo(*COMMAND[1:])
    assert again.code == 1
    assert again.err == (
        "[ERROR] user 'user_uuid' already has a portfolio named 'My First Live Portfolio'; choose another name or delete that one\n"
    )


def test_quickstart_when_status_and_positions_are_asked_then_the_output_is_its(
    settings: Settings, store: PortfolioStore, ginkgo: Program
) -> None:
    portfolio_id = "portfolio_uuid"
    position = snapshot().positions[0]
    first = {"cost_price": 10, "current_price": 10.5, "profit_loss": 500}
    second = {"code": "000002.SZ", "volume": 2000, "cost_price": 20, "current_price": 21, "profit_loss": 2000}
    positions = [_changed(position, **second), _changed(position, **first)]
    SnapshotStore(store.engine).save([
        snapshot(
            portfolio_id, name="My First Live Portfolio", cash=95000, total_value=147500, positions=positions,
            node_id="execution_node_001", updated_at="2026-01-04T10:00:00.000Z",
        )
    ])  # fmt: skip
    shown_there = re.search(r"^Portfolio: portfolio_uuid\n.*?(?=^```)", TEXT, re.DOTALL | re.MULTILINE)
    assert shown_there is not None
    expected = shown_there[0]
    expected = expected.replace("150000.00", "147500.00").replace("Position Count: 5", "Position Count: 2").replace("...\n", "")
    shown = ginkgo("portfolio", "status", portfolio_id).out + "\n" + ginkgo("portfolio", "positions", portfolio_id).out
    assert shown == expected


def _changed(position: Any, **changes: Any) -> Any:
    return msgspec.structs.replace(position, **changes)
