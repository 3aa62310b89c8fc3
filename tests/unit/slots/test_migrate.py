"""The control command portfolio.migrate in a slot: a pin on the schedule, once, and again where a crash kept it from being published."""

from __future__ import annotations

from typing import Any

from ginkgo_streams import messages as m
from ginkgo_streams.apps.cluster import Cluster
from ginkgo_streams.engine.reducer import Effects, Record, Stamp
from ginkgo_streams.placement_key import mint_portfolio_id, slot_of
from ginkgo_streams.slots.portfolios import PORTFOLIOS, PortfolioSlot
from ginkgo_streams.topics import ALERTS, CONTROL, NODE_APP, SCHEDULE
from tests.unit.domain.market.shanghai import profile

ID = mint_portfolio_id()
SLOT = slot_of(ID, 24)
CONFIG = {"strategy": {"name": "TrendFollowStrategy"}, "sizer": {"name": "FixedVolumeSizer"}}


def command(kind: str, command_id: str, second: int = 0, **params: Any) -> m.ControlCommand:
    time = f"2026-01-05T01:30:{second:02}.000Z"
    return m.ControlCommand(command_id=command_id, command_type=kind, target_id=ID, params=params, timestamp=time, issued_by="li")  # type: ignore[arg-type]


def apply(slot: PortfolioSlot, sent: m.ControlCommand, *, fresh: bool = True) -> Effects:
    """Through the bytes, as the agent does it. fresh: whether the recovered value lacks this input."""
    message = m.command(m.decode(m.encode(sent), m.ControlCommand))
    return slot.apply(Record(CONTROL, SLOT, 0, message, lambda table, key: fresh))


def pins(effects: Effects) -> list[m.ScheduleUpdate]:
    stamp = Stamp(SLOT, 7)
    found = [(output.key, m.decode(output.encode(stamp), m.ScheduleUpdate)) for output in effects.outputs if output.topic == SCHEDULE]
    assert all(key == f"pin:{SLOT}".encode() for key, _ in found)
    return [update for _, update in found]


def slot_with_portfolio() -> PortfolioSlot:
    slot = PortfolioSlot(SLOT, "node-a", profile())
    apply(slot, command("portfolio.create", "c1", name="n", initial_cash=1000, config=CONFIG))
    return slot


def recovered(slot: PortfolioSlot, node_id: str) -> PortfolioSlot:
    """What another node loads of what was made durable."""
    after = PortfolioSlot(SLOT, node_id, profile())
    after.load(PORTFOLIOS, ID, slot.encode(PORTFOLIOS, ID))
    after.recovered()
    return after


def test_migrate_when_commanded_then_its_slot_is_pinned_and_the_portfolio_durable_first() -> None:
    effects = apply(slot_with_portfolio(), command("portfolio.migrate", "m1", 5, target_node="node-b", source_node="node-a"))
    (pin,) = pins(effects)
    assert (pin.kind, pin.subject, pin.node_id, pin.active, pin.issued_by) == ("pin", str(SLOT), "node-b", True, "li")
    assert (pin.timestamp, pin.reason) == ("2026-01-05T01:30:05.000Z", f"portfolio {ID}")
    assert effects.dirty == [(PORTFOLIOS, ID)]


def test_migrate_when_it_comes_twice_then_it_pins_once() -> None:
    slot = slot_with_portfolio()
    sent = command("portfolio.migrate", "m1", target_node="node-b")
    assert len(pins(apply(slot, sent))) == 1
    assert pins(apply(slot, sent)) == []


def test_migrate_when_a_crash_came_between_value_and_pin_then_the_replay_pins_whoever_has_the_slot() -> None:
    slot = slot_with_portfolio()
    sent = command("portfolio.migrate", "m1", target_node="node-b", source_node="node-a")
    first = pins(apply(slot, sent))
    assert pins(apply(recovered(slot, "node-c"), sent, fresh=False)) == first


def test_migrate_when_refused_then_the_reason_is_told_and_a_replay_does_not_pin() -> None:
    slot = slot_with_portfolio()
    sent = command("portfolio.migrate", "m1", target_node="node-b", source_node="node-x")
    effects = apply(slot, sent)
    assert pins(effects) == []
    (alert,) = [m.decode(output.encode(Stamp(SLOT, 7)), m.Alert) for output in effects.outputs if output.topic == ALERTS]
    assert (alert.alert_type, alert.details["reason"]) == (
        "command_refused", "it runs on node-a, not on source_node 'node-x'; name the right one, or none",
    )  # fmt: skip
    assert pins(apply(recovered(slot, "node-x"), sent, fresh=False)) == []


def test_pin_when_an_older_wish_is_read_again_then_the_newer_one_stands() -> None:
    cluster = Cluster("unused", NODE_APP, 24)
    old, new = (m.pin(SLOT, node, f"2026-01-05T01:30:0{second}.000Z") for second, node in ((1, "node-b"), (2, "node-c")))
    back = m.ScheduleUpdate(timestamp="2026-01-05T01:30:03.000Z", kind="pin", subject=str(SLOT), active=False)
    for update in (old, new, old):
        cluster.schedule_table.take(m.schedule_key(update), m.encode(update))
    assert cluster.wishes(24).pins == {SLOT: "node-c"}
    for update in (back, new):
        cluster.schedule_table.take(m.schedule_key(update), m.encode(update))
    assert cluster.wishes(24).pins == {}


def test_schedule_record_when_its_time_is_none_then_it_is_left_out() -> None:
    cluster = Cluster("unused", NODE_APP, 24)
    bad = m.pin(SLOT, "node-b", "yesterday")
    cluster.schedule_table.take(m.schedule_key(bad), m.encode(bad))
    assert cluster.wishes(24).pins == {}
