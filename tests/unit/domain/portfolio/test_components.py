"""Each component on cases computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ginkgo_streams.domain.account import Account
from ginkgo_streams.domain.bars import Need
from ginkgo_streams.domain.batch import Batch
from ginkgo_streams.domain.component import Verdict
from ginkgo_streams.domain.config import validate_config
from ginkgo_streams.domain.events import BUY, SELL
from ginkgo_streams.domain.registry import builtin
from ginkgo_streams.domain.risk.price_limit import PriceLimitRisk
from ginkgo_streams.domain.sizers.fixed_volume import FixedVolumeSizer
from ginkgo_streams.domain.strategies.random_signal import RandomSignalParams, RandomSignalStrategy
from ginkgo_streams.domain.windows import Windows
from tests.unit.domain.portfolio.desk import CODE, OTHER, PROFILE, Desk, TestStrategy, config, held, ts, units


def fed(prices: list[float], short: int, long: int) -> list[tuple[int, float]]:
    """Orders (direction, price at which) of TrendFollowStrategy; each buy fills at once, on the day before each sell."""
    params = {"short_period": short, "long_period": long}
    desk = Desk(config(strategy="TrendFollowStrategy", params=params, codes=[OTHER], min_signal_interval=0))
    found = []
    for i, price in enumerate(prices):
        time = f"10:{i // 20:02d}:{i % 20 * 3:02d}"
        for order in desk.quote(time, price, OTHER).orders:
            found.append((order.direction, price))
            desk.fill(order, price)
            position = desk.portfolio().ledger.positions.get(OTHER)
            if position is not None:
                position.bought_day -= 1  # as if T+1 were over
    return found


def test_trend_follow_by_hand() -> None:
    # averages of 2 and 3, the desk's first price is 10.0:  10.0 10.0 10.0 | 9.9: 9.95 < 9.967, a death cross while flat: nothing
    # 10.1: 10.0 = 10.0, no cross yet | 10.3: 10.2 > 10.1, golden cross | 10.4: above still | 10.0: 10.2 < 10.233, death cross
    assert fed([10.0, 10.0, 9.9, 10.1, 10.3, 10.4, 10.0], 2, 3) == [(BUY, 10.3), (SELL, 10.0)]


def test_trend_follow_gives_nothing_from_a_half_filled_window() -> None:
    rising = [10.0 + i / 100 for i in range(12)]
    assert fed([9.9, 9.8, *rising][:4], 2, 5) == []


def test_trend_follow_never_adds_to_a_position() -> None:
    waves = [10.0, 9.9, 10.1, 10.2, 10.1, 10.05, 10.2]
    orders = fed(waves, 1, 2)
    assert [direction for direction, _ in orders] == [BUY, SELL, BUY]


def test_random_signals_are_the_same_for_the_same_seed_and_rare_as_asked() -> None:
    windows = Windows()
    rows = np.array([windows.row(f"{i:06d}.SZ") for i in range(2000)], np.intp)
    zeros = np.zeros(2000, np.int64)
    batch = Batch(windows, rows, np.full(2000, ts("10:00:00")), zeros + 100, zeros, zeros)
    desk = Desk()
    account = _account(desk)

    def signals(seed: int, probability: float) -> list[str]:
        strategy = RandomSignalStrategy(RandomSignalParams(seed=seed, probability=probability))
        return [signal.code for signal in strategy.signals(batch, account, {})]

    assert signals(1, 0.1) == signals(1, 0.1) != signals(2, 0.1)
    assert 60 < len(signals(1, 0.1)) < 140  # 2,000 × 0.1, the half of them sells of nothing
    assert signals(1, 0.0) == []
    assert 900 < len(signals(1, 1.0)) < 1100


def _account(desk: Desk) -> Account:
    return Account(desk.portfolio(), desk.kernel._market.windows, PROFILE, 0)


@pytest.mark.parametrize(("amount", "volume"), [(10_106, 1000), (10_105, 900), (1_015.01, 0), (1_015.0101, 100)])
def test_fixed_amount_buys_what_the_amount_pays_with_its_fees(amount: float, volume: int) -> None:
    # at 10.00 the limit is 10.10: 1,000 cost 10,100 + 5 + 0.101; 100 cost 1,010 + 5 + 0.0101, which 1,015.01 does not pay
    desk = Desk(config(sizer="FixedAmountSizer", sizer_params={"amount": amount}))
    orders = desk.signal("10:00:00", 10.0, BUY).orders
    assert [order.volume for order in orders] == ([volume] if volume else [])


def test_fixed_volume_is_rounded_down_to_the_lot() -> None:
    (order,) = Desk(config(sizer_params={"volume": 250})).signal("10:00:00", 10.0, BUY).orders
    assert order.volume == 200


def test_buy_limit_is_a_percent_above_and_never_over_limit_up() -> None:
    (order,) = Desk().signal("10:00:00", 10.95, BUY).orders
    assert order.limit == units(11.0)


def test_remainder_under_a_lot_is_sold_with_the_rest() -> None:
    desk = held()
    position, line = desk.portfolio().ledger.positions[CODE], desk.portfolio().ledger.lines[CODE]
    position.volume, line.bought_volume = 1050, 1050  # as if a bonus issue had brought 50
    (order,) = desk.signal("10:00:00", 10.0, SELL).orders
    assert order.volume == 1050


def test_sizer_that_answers_nonsense_stops_its_portfolio(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    monkeypatch.setattr(FixedVolumeSizer, "volume", lambda self, proposal, account: 1.5)
    assert desk.signal("10:00:00", 10.0, BUY).orders == []
    assert desk.view().error.startswith("FixedVolumeSizer gave a volume of 1.5")


def test_risk_manager_that_enlarges_an_order_stops_its_portfolio(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(config(risks=[("PriceLimitRisk", {})]))
    monkeypatch.setattr(PriceLimitRisk, "check", lambda self, proposal, account, memo: Verdict(proposal.volume + 1))
    assert desk.signal("10:00:00", 10.0, BUY).orders == []
    assert desk.view().status == "error"


def test_registry_refuses_a_name_that_is_taken() -> None:
    with pytest.raises(ValueError, match="registered twice"):
        builtin.plus([TestStrategy, TestStrategy]).plus([TestStrategy])
    assert builtin.names("selector") == ["AllSelector", "FixedSelector", "MomentumSelector", "TurnoverSelector"]


class Unready(FixedVolumeSizer):
    """A user's sizer whose author has not looked."""

    component_id = "unready"

    def needs(self) -> list[Need]:
        raise ZeroDivisionError("no needs")


class Unmade(FixedVolumeSizer):
    component_id = "unmade"

    def __init__(self, params: object) -> None:
        raise KeyError("made")


@pytest.mark.parametrize("cls", [Unready, Unmade])
def test_component_that_raises_while_it_is_built_then_its_config_is_wrong_and_nothing_else(cls: type) -> None:
    (error,) = validate_config(config(strategy="RandomSignalStrategy", sizer=cls.__name__, sizer_params={}), builtin.plus([cls]))
    assert cls.__name__ in error
    assert "raised" in error
