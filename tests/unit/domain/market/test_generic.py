"""The GENERIC market: no rule but the fees."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from ginkgo_streams.domain.events import BUY, SELL
from ginkgo_streams.domain.market.generic import generic
from ginkgo_streams.domain.market.profile import Profile
from ginkgo_streams.domain.market.sessions import DAY_MS, EPOCH_DAY


def test_generic_when_asked_then_lot_one_no_limits_no_sessions_no_t_plus_one() -> None:
    market: Profile = generic()
    assert market.lot_down("AAPL", BUY, 7, 0) == 7
    assert market.lot_down("AAPL", SELL, 7, 5) == 5
    assert market.valid_volume("AAPL", BUY, 1, None) is None
    assert market.valid_volume("AAPL", BUY, 0, None) is not None
    assert market.price_limits("AAPL", 100, 1) is None
    assert market.open_mask(np.array([0, 5], np.int64)).all()
    assert market.phase(0) == "continuous"
    assert not market.t_plus_one
    assert not market.short_selling


def test_generic_when_at_midnight_then_an_event_is_of_the_day_that_ends() -> None:
    market = generic()
    assert market.trading_day(DAY_MS) == market.calendar_day(DAY_MS) == EPOCH_DAY
    assert market.order_day(DAY_MS) == EPOCH_DAY + 1
    assert market.close_ts(EPOCH_DAY) == DAY_MS


def test_generic_when_fees_are_configured_then_only_those() -> None:
    market = generic(commission_rate=Fraction(1, 1_000), minimum_commission=10_000)
    assert market.fees(SELL, 100_000_000, 1, "AAPL").total == 100_000
    assert market.fees(SELL, 100, 1, "AAPL").total == 10_000


def test_generic_when_a_setting_is_out_of_range_then_refused() -> None:
    with pytest.raises(ValueError, match="tick of 0"):
        generic(tick=0)
