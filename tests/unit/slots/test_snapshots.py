"""When a slot gives a portfolio's snapshot: once a second of the clock where it says something new, and now and then all the same."""

from __future__ import annotations

from ginkgo_streams import messages as m
from ginkgo_streams.domain.portfolio import EquityRow
from ginkgo_streams.engine.reducer import Effects, Record, Stamp
from ginkgo_streams.slots.portfolios import SAY_AGAIN_MS, PortfolioSlot
from ginkgo_streams.topics import SNAPSHOTS, TICKS
from tests.unit.slots.test_migrate import ID, SLOT, slot_with_portfolio

START = m.ms("2026-01-05T01:31:00.000Z")


def tick(slot: PortfolioSlot, ts: int) -> Effects:
    """The clock, through its bytes."""
    message = m.decode_ticks(m.encode_ticks(m.Ticks.of(m.no_quotes(), ts)))
    return slot.apply(Record(TICKS, SLOT, 0, message, lambda table, key: True))


def given(effects: Effects) -> list[m.Snapshot]:
    outputs = [output.encode(Stamp(SLOT, 7)) for output in effects.outputs if output.topic == SNAPSHOTS]
    return [m.decode(value, m.Snapshot) for value in outputs]


def test_snapshot_that_would_say_the_same_is_given_again_after_a_while_only() -> None:
    slot = slot_with_portfolio()
    tick(slot, START)
    first = START + 1_000
    found = [ts for ts in range(first, first + 2 * SAY_AGAIN_MS, 1_000) if given(tick(slot, ts))]
    assert len(found) == 2
    assert found[1] - found[0] == SAY_AGAIN_MS


def test_snapshot_of_what_changed_is_given_with_the_next_clock_also_where_a_row_changed_in_its_place() -> None:
    slot = slot_with_portfolio()
    portfolio = slot.state.portfolios[ID]
    portfolio.history.append(EquityRow(1, START, 10, 20, 0, 0))
    assert [row["total_value"] for row in given(tick(slot, START))[-1].history] == [0.002]
    assert not given(tick(slot, START + 1_000))
    portfolio.history[-1].total_value = 30
    assert [row["total_value"] for row in given(tick(slot, START + 2_000))[-1].history] == [0.003]
    portfolio.drop("stale_signal")
    assert given(tick(slot, START + 3_000))[-1].drops == {"stale_signal": 1}


def test_snapshot_of_every_portfolio_is_given_by_whoever_loads_the_slot() -> None:
    slot = slot_with_portfolio()
    tick(slot, START)
    heir = PortfolioSlot(SLOT, "node-b", slot.state._market.profile)
    heir.load("portfolios", ID, slot.encode("portfolios", ID))
    assert [(snapshot.portfolio_id, snapshot.node_id) for snapshot in given(heir.recovered())] == [(ID, "node-b")]
