"""Properties of whole sessions: the machine over random prices, portfolios, participation and days."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from ginkgo_streams.domain.events import BUY
from ginkgo_streams.domain.exchange.exchange import Exchange
from ginkgo_streams.domain.exchange.settings import ExchangeSettings
from ginkgo_streams.domain.portfolios import Portfolios
from tests.scenarios.harness import PROFILE
from tests.scenarios.recorded import CODES, PORTFOLIOS, backtested, session

seeds = st.integers(0, 100_000)
some_rules = st.builds(
    ExchangeSettings, participation=st.sampled_from([0.01, 0.1, 1.0]), slippage_rate=st.sampled_from([0.0, 0.002]),
    reject_rate=st.sampled_from([0.0, 0.1]), ack_delay_ms=st.sampled_from([0, 0, 200_000]), disconnect_rate=st.sampled_from([0.0, 0.2]),
)  # fmt: skip


def states(machine: Any) -> dict[str, bytes]:
    return {pid: msgspec.msgpack.encode(portfolio) for pid, portfolio in machine.portfolios.portfolios.items()}


@settings(deadline=None, max_examples=8)
@given(seeds, some_rules)
def test_portfolios_when_created_in_another_order_then_nothing_changes(seed: int, rules: ExchangeSettings) -> None:
    steps = session(seed=seed, step_ms=900_000)
    one = backtested(steps, PORTFOLIOS, rules=rules)
    other = backtested(steps, dict(reversed(PORTFOLIOS.items())), rules=rules)
    assert states(one) == states(other)


@settings(deadline=None, max_examples=8)
@given(seeds, some_rules)
def test_a_session_when_replayed_then_the_same_state_to_the_byte(seed: int, rules: ExchangeSettings) -> None:
    steps = session(seed=seed, step_ms=900_000)
    one, other = backtested(steps, PORTFOLIOS, rules=rules), backtested(steps, PORTFOLIOS, rules=rules)
    assert states(one) == states(other)
    for name in one.portfolios.touched_chunks():
        assert one.portfolios.encode_chunk(name) == other.portfolios.encode_chunk(name)


@settings(deadline=None, max_examples=12)
@given(seeds, some_rules)
def test_a_session_when_run_then_no_fill_breaks_a_rule_of_the_market(seed: int, rules: ExchangeSettings) -> None:
    steps = session(seed=seed, step_ms=600_000)
    machine = backtested(steps, PORTFOLIOS, rules=rules)
    prev = {(PROFILE.trading_day(step.time_ms), u.code): u.prev_close for step in steps for u in step.updates}
    for pid, journal in machine.journals.items():
        portfolio = machine.portfolios.portfolios[pid]
        portfolio.check()
        held: dict[str, list[tuple[int, int]]] = {}
        taken: dict[str, int] = {}
        commissions: dict[str, int] = {}
        for fill in journal.fills:
            report, order = fill.report, fill.order
            day, code = PROFILE.trading_day(report.ts), report.code
            limits = PROFILE.price_limits(code, round((prev[day, code] or 0) * 10_000), day)
            assert limits is not None
            assert limits[0] <= report.price <= limits[1]
            assert report.price % PROFILE.tick == 0
            assert (report.price - order.limit) * order.direction <= 0
            assert report.ts > order.ts
            taken[order.order_id] = taken.get(order.order_id, 0) + report.volume
            commissions[order.order_id] = commissions.get(order.order_id, 0) + report.commission
            if order.direction == BUY:
                assert PROFILE.valid_volume(code, BUY, order.volume, None) is None
                held.setdefault(code, []).append((day, report.volume))
            else:  # only of what was there before today
                before = sum(volume for bought, volume in held.get(code, []) if bought < day)
                assert report.volume <= before
                held[code].append((0, -report.volume))
        for order_id, volume in taken.items():
            assert volume <= journal.orders[order_id].order.volume
            assert commissions[order_id] >= 50_000
        open_buys = sum(order.frozen for order in portfolio.open_orders.values())
        assert portfolio.ledger.frozen == open_buys
        for code in CODES:
            position = portfolio.ledger.positions.get(code)
            selling = sum(o.volume - o.filled for o in portfolio.open_orders.values() if o.code == code and o.direction != BUY)
            assert (position.frozen if position else 0) == selling
            assert (position.volume if position else 0) == sum(volume for _, volume in held.get(code, []))


def test_the_machine_when_it_runs_then_it_is_the_live_kernel() -> None:
    machine = backtested(session(count=1, step_ms=3_600_000), PORTFOLIOS)
    assert type(machine.portfolios) is Portfolios
    assert type(machine.exchange) is Exchange
