"""The snapshot store on SQLite and MariaDB."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any
from uuid import uuid4

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from ginkgo_streams.domain.versions import undo
from ginkgo_streams.messages import Snapshot, VersionView
from ginkgo_streams.storage.models import Portfolio, PortfolioSnapshot, PortfolioTransition
from ginkgo_streams.storage.portfolios import PortfolioStore
from ginkgo_streams.storage.snapshots import SnapshotStore, newest_snapshot
from tests.integration.storage.samples import CREATED, snapshot


def _row(engine: Engine, portfolio_id: str) -> Portfolio:
    row = PortfolioStore(engine).get(portfolio_id)
    assert row is not None
    return row


def test_save_when_new_then_state_comes_back_as_it_was(engine: Engine) -> None:
    saved = snapshot()
    SnapshotStore(engine).save([saved])
    assert newest_snapshot(engine, saved.portfolio_id) == saved
    row = _row(engine, saved.portfolio_id)
    assert (row.status, row.current_cash, row.initial_cash) == ("running", Decimal("89494.8949"), Decimal(100000))


def test_save_when_older_comes_later_then_the_newer_stays(engine: Engine) -> None:
    store = SnapshotStore(engine)
    new = snapshot(epoch=5, seq=1, status="stopped", cash=7)
    store.save([new])
    for epoch, seq in ((4, 99), (5, 0), (5, 1)):
        store.save([snapshot(new.portfolio_id, epoch=epoch, seq=seq, status="running", cash=1)])
    assert newest_snapshot(engine, new.portfolio_id) == new
    row = _row(engine, new.portfolio_id)
    assert (row.status, row.current_cash, row.epoch, row.seq) == ("stopped", Decimal(7), 5, 1)


def test_save_when_epoch_is_higher_and_seq_lower_then_it_is_newer(engine: Engine) -> None:
    store = SnapshotStore(engine)
    old = snapshot(epoch=4, seq=99)
    new = snapshot(old.portfolio_id, epoch=5, seq=1, cash=3)
    store.save([old])
    store.save([new])
    assert newest_snapshot(engine, new.portfolio_id) == new
    assert _row(engine, new.portfolio_id).current_cash == Decimal(3)


def test_save_when_many_writers_race_then_the_newest_wins_everywhere(engine: Engine) -> None:
    portfolios = [str(uuid4()) for _ in range(3)]
    batches = [[snapshot(p, epoch=e, seq=s, cash=e * 100 + s) for p in random.sample(portfolios, 3)] for e in range(3) for s in range(6)]
    random.Random(7).shuffle(batches)
    store = SnapshotStore(engine)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(store.save, batches))
    for portfolio in portfolios:
        newest = newest_snapshot(engine, portfolio)
        assert newest is not None
        assert (newest.epoch, newest.seq, newest.cash) == (2, 5, 205)
        assert _row(engine, portfolio).current_cash == Decimal(205)


def test_save_when_days_pass_then_one_a_day_is_kept_and_the_newest(engine: Engine) -> None:
    store = SnapshotStore(engine)
    first = snapshot(seq=1, updated_at="2026-11-23T06:59:00.000Z")
    pid = first.portfolio_id
    store.save([first, snapshot(pid, seq=2, updated_at="2026-11-23T07:00:00.000Z"), snapshot(pid, seq=3), snapshot(pid, seq=4, cash=2)])
    with Session(engine) as session:
        kept = session.execute(select(PortfolioSnapshot.day, PortfolioSnapshot.seq).order_by(PortfolioSnapshot.day)).all()
    assert [(str(day), seq) for day, seq in kept] == [("2026-11-23", 2), ("2026-11-24", 4)]


def test_save_when_the_feed_starts_over_in_the_past_then_newest_is_by_sequence_not_by_day(engine: Engine) -> None:
    store = SnapshotStore(engine)
    first = snapshot(seq=1)
    again = snapshot(first.portfolio_id, seq=2, updated_at="2020-01-02T02:00:00.000Z", cash=9)
    store.save([first])
    store.save([again])
    assert newest_snapshot(engine, first.portfolio_id) == again


def test_save_when_transitions_come_again_then_each_is_on_record_once(engine: Engine) -> None:
    store = SnapshotStore(engine)
    stopping = {"timestamp": "2026-11-24T02:00:00.000Z", "from": "running", "to": "stopping", "reason": "stop", "node_id": "n1"}
    first = snapshot(seq=1)
    store.save([first, snapshot(first.portfolio_id, seq=2, transitions=[CREATED, stopping])])
    store.save([snapshot(first.portfolio_id, seq=3, transitions=[stopping])])
    with Session(engine) as session:
        rows = session.scalars(select(PortfolioTransition).order_by(PortfolioTransition.at)).all()
    assert [(r.from_status, r.to_status, r.reason, r.node_id) for r in rows] == [
        ("created", "running", "start", "n1"),
        ("running", "stopping", "stop", "n1"),
    ]
    assert rows[0].at.isoformat() == "2026-11-24T01:30:00+00:00"


def test_save_when_deleted_then_the_row_goes_and_an_old_snapshot_does_not_bring_it_back(engine: Engine) -> None:
    store = SnapshotStore(engine)
    running = snapshot(seq=1)
    store.save([running])
    store.save([snapshot(running.portfolio_id, seq=2, status="deleted")])
    store.save([running])
    assert PortfolioStore(engine).get(running.portfolio_id) is None
    newest = newest_snapshot(engine, running.portfolio_id)
    assert newest is not None
    assert newest.status == "deleted"


def test_save_when_the_row_exists_then_config_and_version_follow_the_newest_and_the_name_stays(engine: Engine) -> None:
    portfolio_id = str(uuid4())
    PortfolioStore(engine).insert(portfolio_id, "mine", "u1", Decimal(100000), {"mine": True})
    SnapshotStore(engine).save([snapshot(portfolio_id, seq=2, config={"newer": [1, {"a": 2.5}]}, version=2, name="other")])
    SnapshotStore(engine).save([snapshot(portfolio_id, seq=1, config={"mine": True}, version=1)])
    row = _row(engine, portfolio_id)
    assert (row.config, row.version, row.name, row.status) == ({"newer": [1, {"a": 2.5}]}, 2, "mine", "running")


def test_save_when_versions_were_skipped_then_every_one_of_them_has_its_config(engine: Engine) -> None:
    configs: list[dict[str, Any]] = [
        {"strategy": {"params": {"long_period": 20}}},
        {"strategy": {"params": {"long_period": 30}}, "selector": {"name": "AllSelector"}},
        {"strategy": {"params": {}}, "selector": {"name": "AllSelector"}},
    ]  # fmt: skip
    versions = [
        VersionView(
            version=i + 1, timestamp=f"2026-11-24T01:3{i}:00.000Z", issued_by=f"u{i}", reason=f"because {i}",
            undo=[(step.path, step.before) for step in undo(configs[i - 1], configs[i])] if i else [],
        )
        for i in range(3)
    ]  # fmt: skip
    portfolio_id = str(uuid4())
    store = SnapshotStore(engine)
    store.save([snapshot(portfolio_id, seq=1, config=configs[0], version=1, versions=versions[:1])])
    store.save([snapshot(portfolio_id, seq=3, config=configs[2], version=3, versions=versions)])  # that of version 2 never came
    store.save([snapshot(portfolio_id, seq=2, config=configs[1], version=2, versions=versions[:2])])
    found = PortfolioStore(engine).versions(portfolio_id)
    assert [(row.version, row.config, row.issued_by, row.reason) for row in found] == [
        (i + 1, configs[i], f"u{i}", f"because {i}") for i in range(3)
    ]
    assert [row.at.minute for row in found] == [30, 31, 32]


def test_save_when_two_moves_have_one_time_and_reason_then_both_are_kept_in_their_order(engine: Engine) -> None:
    moves = [
        CREATED | {"seq": 1},
        *(
            {"seq": seq, "timestamp": "2026-11-24T01:31:00.000Z", "from": old, "to": new, "reason": "same"}
            for seq, old, new in (
                (2, "running", "reloading"), (3, "reloading", "running"), (4, "running", "reloading"), (5, "reloading", "running"),
            )
        ),
    ]  # fmt: skip
    saved = snapshot(transitions=moves)
    SnapshotStore(engine).save([saved])
    SnapshotStore(engine).save([snapshot(saved.portfolio_id, epoch=2, node_id="n2", transitions=moves)])  # a later owner has them too
    found = PortfolioStore(engine).transitions(saved.portfolio_id)
    assert [(row.seq, row.to_status, row.node_id) for row in found] == [
        (1, "running", "n1"), (2, "reloading", "n1"), (3, "running", "n1"), (4, "reloading", "n1"), (5, "running", "n1"),
    ]  # fmt: skip


def test_save_when_a_strangers_portfolio_has_a_taken_name_then_it_gets_a_row_of_its_own(engine: Engine) -> None:
    PortfolioStore(engine).insert(str(uuid4()), "mine", "u1", Decimal(1), {})
    other = snapshot(name="mine")
    SnapshotStore(engine).save([other])
    assert _row(engine, other.portfolio_id).name == f"mine ({other.portfolio_id[:8]})"


def test_save_when_one_id_is_too_long_then_the_others_are_saved(engine: Engine) -> None:
    good: Snapshot = snapshot()
    SnapshotStore(engine).save([snapshot("x" * 40), good])
    assert newest_snapshot(engine, good.portfolio_id) == good
