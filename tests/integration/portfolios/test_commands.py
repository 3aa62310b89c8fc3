"""Commands to portfolios, and what is said of their effect."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import Decimal

import pytest

from ginkgo_streams.config import Settings, load_settings
from ginkgo_streams.engine.provision import TopicMismatch
from ginkgo_streams.local.ports import free_port
from ginkgo_streams.messages import ControlCommand, Snapshot
from ginkgo_streams.placement_key import mint_portfolio_id, slot_of, weights
from ginkgo_streams.portfolios.control import Refused, change
from ginkgo_streams.portfolios.create import NewPortfolio, create_portfolio, resend_at_start, resend_created
from ginkgo_streams.storage.portfolios import PortfolioStore
from ginkgo_streams.storage.snapshots import SnapshotStore
from tests.integration.portfolios.conftest import Answer, Sent
from tests.integration.storage.samples import snapshot
from tests.servers.program import Program

Answering = Callable[[Answer], AbstractContextManager[None]]
CONFIG = {"strategy": {"name": "TrendFollowStrategy"}, "sizer": {"name": "FixedAmountSizer"}}
CREATE = (
    "portfolio", "create", "--name", "A", "--user-id", "u", "--initial-cash", "100000", "--strategy-id", "TrendFollowStrategy",
    "--sizer-id", "FixedAmountSizer",
)  # fmt: skip
EFFECT = {"portfolio.start": "running", "portfolio.stop": "stopped", "portfolio.delete": "deleted"}


def obedient(command: ControlCommand) -> Snapshot | None:
    """A portfolio that does what it is told, and holds nothing."""
    status = EFFECT.get(command.command_type)
    return None if status is None else snapshot(command.target_id, status=status, positions=[])


def test_portfolio_when_commands_are_obeyed_then_each_reports_what_was_seen(
    settings: Settings, store: PortfolioStore, ginkgo: Program, answering: Answering
) -> None:
    with answering(obedient):
        created = json.loads(ginkgo(*CREATE, "--json").out)
        portfolio_id = created["portfolio_id"]
        assert (created["done"], created["status"], created["message"]) == (True, "running", f"Portfolio {portfolio_id} is running on n1")
        again = ginkgo("portfolio", "start", portfolio_id)
        assert (again.code, again.out) == (0, f"Portfolio {portfolio_id} is running already\n")
        refused = ginkgo("portfolio", "delete", portfolio_id)
        assert (refused.code, refused.err) == (
            1,
            f"[ERROR] portfolio {portfolio_id} cannot be deleted: it is running, expected one of: created, stopped\n",
        )
        assert ginkgo("portfolio", "stop", portfolio_id).out == f"Portfolio {portfolio_id} is stopped on n1\n"
        assert ginkgo("portfolio", "start", portfolio_id).code == 0
        assert ginkgo("portfolio", "stop", portfolio_id).code == 0
        deleted = ginkgo("portfolio", "delete", portfolio_id)
        assert (deleted.code, deleted.out) == (0, f"Portfolio {portfolio_id} is deleted\n")
    assert store.list() == []


def test_create_when_the_portfolio_goes_to_error_then_exit_1_with_its_reason(
    settings: Settings, store: PortfolioStore, ginkgo: Program, answering: Answering
) -> None:
    def failing(command: ControlCommand) -> Snapshot | None:
        return snapshot(command.target_id, status="error", error="TrendFollowStrategy raised ZeroDivisionError")

    with answering(failing):
        result = ginkgo(*CREATE)
    portfolio_id = store.list()[0].uuid
    assert result.code == 1
    assert result.err == f"[ERROR] Portfolio {portfolio_id} is in error: TrendFollowStrategy raised ZeroDivisionError\n"


def test_stop_when_nothing_comes_of_it_in_time_then_exit_1_and_the_state_as_it_is(
    settings: Settings, store: PortfolioStore, ginkgo: Program, answering: Answering
) -> None:
    running = snapshot(positions=[])
    SnapshotStore(store.engine).save([running])
    with answering(lambda _: None):
        result = ginkgo("portfolio", "stop", running.portfolio_id, "--timeout", "0.5")
    assert (result.code, result.err) == (
        1,
        f"[ERROR] Portfolio {running.portfolio_id} is still running 0.5 s after the command, expected stopped\n",
    )


def test_delete_when_the_portfolio_refuses_then_exit_1_at_once_with_its_reason(
    settings: Settings, store: PortfolioStore, ginkgo: Program, answering: Answering
) -> None:
    stopped = snapshot(status="stopped", positions=[])
    SnapshotStore(store.engine).save([stopped])
    reason = "it holds 000001.SZ; sell it first"  # the last fill landed behind the look at the database

    def refusing(command: ControlCommand) -> Snapshot | None:
        if command.target_id != stopped.portfolio_id:
            return None
        refusal = {"command_id": command.command_id, "reason": reason}
        return snapshot(command.target_id, status="stopped", refusals=[refusal])

    with answering(refusing):
        result = ginkgo("portfolio", "delete", stopped.portfolio_id, "--timeout", "600")
    assert (result.code, result.err) == (1, f"[ERROR] Portfolio {stopped.portfolio_id} is stopped and refused the command: {reason}\n")


def test_stop_when_nobody_runs_then_exit_1_at_once_and_told_that_the_command_waits(
    settings: Settings, store: PortfolioStore, ginkgo: Program, control: Callable[[str], Sent]
) -> None:
    running = snapshot()
    SnapshotStore(store.engine).save([running])
    result = ginkgo("portfolio", "stop", running.portfolio_id)
    assert result.code == 1
    assert "No execution node and no livecore is running: the command waits in Kafka" in result.err
    assert [command.command_type for _, _, command in control(running.portfolio_id)] == ["portfolio.stop"]


def test_update_when_the_portfolio_refuses_then_exit_1_at_once_with_its_reason(
    settings: Settings, store: PortfolioStore, ginkgo: Program, answering: Answering
) -> None:
    running = snapshot(config=CONFIG, positions=[])
    SnapshotStore(store.engine).save([running])
    reason = "version is 2, but it has version 2 and the next is 3; look at that and change it"  # another was faster

    def refusing(command: ControlCommand) -> Snapshot | None:
        if command.target_id != running.portfolio_id:
            return None  # of another test: the topic is the session's
        assert (command.command_type, command.params["version"]) == ("portfolio.reload", 2)
        assert command.params["config"]["strategy"]["params"] == {"short_period": 6}
        refusal = {"command_id": command.command_id, "reason": reason}
        return snapshot(command.target_id, config=CONFIG, version=2, positions=[], refusals=[refusal])

    with answering(refusing):
        result = ginkgo("portfolio", "update", running.portfolio_id, "--set", "strategy.params.short_period=6")
    assert (result.code, result.err) == (1, f"[ERROR] Portfolio {running.portfolio_id} refused the new version: {reason}\n")


def test_update_when_nobody_runs_then_exit_1_at_once_and_told_that_the_command_waits(
    settings: Settings, store: PortfolioStore, ginkgo: Program, control: Callable[[str], Sent]
) -> None:
    running = snapshot(config=CONFIG)
    SnapshotStore(store.engine).save([running])
    result = ginkgo("portfolio", "update", running.portfolio_id, "--set", "strategy.params.short_period=6", "--reason", "why not")
    assert result.code == 1
    assert "No execution node and no livecore is running: the command waits in Kafka" in result.err
    ((_, key, command),) = control(running.portfolio_id)
    assert (key.decode(), command.command_type, command.params["reason"]) == (running.portfolio_id, "portfolio.reload", "why not")


def test_delete_when_it_holds_positions_then_refused_unless_forced(settings: Settings, store: PortfolioStore) -> None:
    stopped = snapshot(status="stopped")
    SnapshotStore(store.engine).save([stopped])
    with pytest.raises(Refused, match="holds 1 positions; sell them first, or use --force"):
        change(settings, store, stopped.portfolio_id, "delete")


def test_create_when_not_to_start_then_only_created_and_resent_as_that(
    settings: Settings, store: PortfolioStore, control: Callable[[str], Sent]
) -> None:
    portfolio_id = create_portfolio(settings, store, NewPortfolio("A", "u", Decimal(1000), CONFIG), start=False)
    assert resend_created(settings, store) == 1
    assert [command.command_type for _, _, command in control(portfolio_id)] == ["portfolio.create", "portfolio.create"]


def test_resend_when_no_node_has_answered_then_the_same_commands_again_and_not_after_a_snapshot(
    settings: Settings, store: PortfolioStore, control: Callable[[str], Sent]
) -> None:
    portfolio_id = create_portfolio(settings, store, NewPortfolio("A", "u", Decimal("1000.5"), CONFIG))
    assert resend_created(settings, store) == 1
    ids = [command.command_id for _, _, command in control(portfolio_id)]
    assert len(ids) == 4
    assert ids[:2] == ids[2:]  # the same command twice has the effect of once
    SnapshotStore(store.engine).save([snapshot(portfolio_id, status="created")])
    assert resend_created(settings, store) == 0


def test_resend_at_start_when_the_database_is_away_then_it_is_said_and_nothing_is_raised(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("GINKGO_DATABASE__URL", f"mysql+pymysql://u:p@127.0.0.1:{free_port()}/g")
    asyncio.run(resend_at_start(load_settings()))
    assert "Portfolios that no node has answered to are not sent again now" in caplog.text


def test_resend_at_start_when_a_crash_came_between_row_and_command_then_the_commands_are_sent(
    settings: Settings, store: PortfolioStore, control: Callable[[str], Sent]
) -> None:
    portfolio_id = mint_portfolio_id()
    store.insert(portfolio_id, "A", "u", Decimal(1000), CONFIG)
    asyncio.run(resend_at_start(settings))
    assert [command.command_type for _, _, command in control(portfolio_id)] == ["portfolio.create", "portfolio.start"]


def test_create_when_the_cluster_has_another_number_of_slots_then_nothing_is_created(
    settings: Settings, store: PortfolioStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_portfolio(settings, store, NewPortfolio("A", "u", Decimal(1000), CONFIG))
    monkeypatch.setenv("GINKGO_KAFKA__SLOTS", "6")
    with pytest.raises(TopicMismatch, match="expected 6 partitions, found 24"):
        create_portfolio(load_settings(), store, NewPortfolio("B", "u", Decimal(1000), CONFIG))
    assert [row.name for row in store.list()] == ["A"]


def test_mint_when_many_are_made_then_slots_are_filled_evenly() -> None:
    ids: list[str] = []
    for _ in range(48):
        ids.append(mint_portfolio_id(weights(ids, 24), 24))
    assert set(weights(ids, 24).values()) == {2}


def test_slot_of_when_compared_with_kafkas_own_client_then_the_same() -> None:
    from aiokafka.partitioner import DefaultPartitioner

    partitioner = DefaultPartitioner()
    for key in ("", "a", "000001.SZ", "7b1f3bbd-2b4b-4c3d-9d53-3d2f1f6f7a10", "汉字"):
        assert slot_of(key, 24) == partitioner(key.encode(), list(range(24)), list(range(24)))
    # Apache Kafka, Utils.murmur2 of "foobar" is -790332482 (UtilsTest of its Java client).
    assert slot_of("foobar", 24) == (-790332482 & 0x7FFFFFFF) % 24
