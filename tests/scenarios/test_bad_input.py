"""Bad input as bytes on the topics: it is refused with its reason, moves nothing, and what comes behind it is taken."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from ginkgo_streams import messages as m
from ginkgo_streams.portfolios.create import NewPortfolio
from ginkgo_streams.topics import CONTROL, DLQ, FEEDBACK, MARKET_DATA, SUBMISSION
from tests.scenarios.harness import CODE, OTHER, PID, Pipeline, config, opened, price, script, slot_of

GOOD = {"event_type": "price_update", "_v": 1, "timestamp": "2026-11-23T02:00:03.000Z", "code": CODE, "price": 10.0, "volume": 100}

BAD_PRICES = {
    "negative price": (GOOD | {"price": -10.0}, "price"),
    "no price": ({name: value for name, value in GOOD.items() if name != "price"}, "price"),
    "price of zero": (GOOD | {"price": 0}, "price"),
    "price as text": (GOOD | {"price": "10.0"}, "price"),
    "five decimals": (GOOD | {"price": 10.00001}, "more than four decimals"),
    "ill-formed code": (GOOD | {"code": "1.SZ"}, "code"),
    "code of another exchange": (GOOD | {"code": "000001.HK"}, "code"),
    "unknown version": (GOOD | {"_v": 2}, "_v"),
    "version of zero": (GOOD | {"_v": 0}, "_v"),
    "unknown event": (GOOD | {"event_type": "price_upset"}, "price_upset"),
    "no event": ({name: value for name, value in GOOD.items() if name != "event_type"}, "event_type"),
    "market HK": (GOOD | {"market": "HK"}, "market HK of 000001.SZ: only CN is traded here"),
    "unknown market": (GOOD | {"market": "MOON"}, "market"),
    "time without a zone": (GOOD | {"timestamp": "2026-11-23T02:00:03"}, "has no time zone"),
    "no time": (GOOD | {"timestamp": "soon"}, "is no RFC 3339 time"),
    "negative volume": (GOOD | {"volume": -1}, "volume"),
    "a number": (7, "Expected"),
    "broken JSON": (b'{"event_type": "price_update", "pri', "truncated"),
    "no UTF-8": (b"\xff\xfe", "malformed"),
    "nothing": (b"", "truncated"),
}


def raw(value: Any) -> bytes:
    """The bytes of a value; bytes as they are."""
    return value if isinstance(value, bytes) else json.dumps(value).encode()


@pytest.mark.parametrize(("value", "reason"), BAD_PRICES.values(), ids=BAD_PRICES.keys())
def test_bad_price_update_is_a_dead_letter_with_the_reason_and_the_next_is_taken(value: Any, reason: str) -> None:
    pipeline = opened(config(params=script({"10:00:03": f"buy {CODE}"})))
    pipeline.clock("10:00:00")
    pipeline.broker.send(MARKET_DATA, CODE.encode(), raw(value))
    pipeline.settle()
    assert pipeline.orders() == []
    ((topic, why),) = pipeline.dead()
    assert topic == MARKET_DATA
    assert reason in why
    assert pipeline.broker.values(MARKET_DATA + DLQ) == [raw(value)]
    pipeline.broker.send(MARKET_DATA, CODE.encode(), raw(GOOD))
    pipeline.settle()
    assert [order.code for order in pipeline.orders()] == [CODE]


def test_single_price_update_of_any_producer_is_taken_with_unknown_fields_ignored() -> None:
    pipeline = opened(config(params=script({"10:00:03": f"buy {CODE}"})))
    pipeline.clock("10:00:00")
    pipeline.broker.send(MARKET_DATA, CODE.encode(), raw(GOOD | {"colour": "red", "turnover": [1, 2]}))
    pipeline.settle()
    assert len(pipeline.orders()) == 1
    assert pipeline.dead() == []


@pytest.mark.parametrize(("value", "reason"), BAD_PRICES.values(), ids=BAD_PRICES.keys())
def test_bad_update_in_an_array_does_not_silence_the_other_codes(value: Any, reason: str) -> None:
    pipeline = opened(config(params=script({"10:00:03": f"buy {CODE}, buy {OTHER}"})))
    pipeline.clock("10:00:00")
    array = [value, GOOD, GOOD | {"code": OTHER}] if not isinstance(value, bytes) else None
    pipeline.broker.send(MARKET_DATA, CODE.encode(), raw(array) if array else b"[" + value + b"," + raw(GOOD) + b"]")
    pipeline.settle()
    if array:
        assert sorted(order.code for order in pipeline.orders()) == [CODE, OTHER]
        assert pipeline.dead() == []
        (left_out,) = pipeline.left_out
        assert left_out.startswith("1 of 3 updates are left out: [0]: ")
        assert reason in left_out
    else:  # no JSON at all: nothing of it can be told apart
        assert pipeline.orders() == []
        assert len(pipeline.dead()) == 1


def test_unknown_code_is_delivered_to_nobody_who_did_not_ask_for_it() -> None:
    pipeline = opened(config(params=script({"10:00:03": f"buy {CODE}"}), codes=[CODE]), codes=[CODE])
    seen = pipeline.ticks(slot_of(PID))
    pipeline.send(price("10:00:03", 10.0, "999999.SZ"))
    assert pipeline.ticks(slot_of(PID)) == seen
    assert pipeline.dead() == []


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ({"_v": 9}, "_v"),
        ({"command_type": "portfolio.explode"}, "portfolio.explode"),
        ({"timestamp": "yesterday"}, "is no RFC 3339 time"),
        ({"command_id": ""}, "command_id"),
        ({"params": [1]}, "params"),
    ],
)
def test_bad_command_is_a_dead_letter_and_the_portfolio_goes_on(command: dict[str, Any], reason: str) -> None:
    pipeline = opened(config(params=script({"10:00:03": f"buy {CODE}"})))
    good = {"_v": 1, "command_id": "c", "command_type": "portfolio.stop", "target_id": PID, "params": {}, "timestamp": GOOD["timestamp"]}
    pipeline.broker.send(CONTROL, PID.encode(), raw(good | command))
    pipeline.settle()
    ((topic, why),) = pipeline.dead()
    assert topic == CONTROL
    assert reason in why
    pipeline.send(price("10:00:03", 10.0))
    assert len(pipeline.orders()) == 1


@pytest.mark.parametrize("topic", [SUBMISSION, FEEDBACK])
def test_garbage_among_orders_and_reports_moves_nothing(topic: str) -> None:
    pipeline = opened(config(params=script({"10:00:03": f"buy {CODE}"})))
    for value in (b"{", b"", b'{"event_type":"order_filled","_v":1}', b'{"event_type":"order_submission","_v":1,"timestamp":"x"}'):
        pipeline.broker.send(topic, PID.encode(), value)
    pipeline.settle()
    assert [where for where, _ in pipeline.dead()] == [topic] * 4
    pipeline.send(price("10:00:03", 10.0))
    pipeline.send(price("10:00:06", 10.0))
    assert pipeline.snapshot().positions[0].volume == 1_000
    report = pipeline.audit()
    assert (report.ok, report.unreadable) == (True, 4)


def test_limit_order_without_a_price_never_reaches_the_exchange() -> None:
    pipeline = opened(config())
    order = m.OrderSubmission(
        timestamp=m.iso(0), order_id="o", portfolio_id=PID, code=OTHER, direction=1, volume=100, order_type="limit", slot=0, epoch=99
    )
    pipeline.broker.send(SUBMISSION, PID.encode(), m.encode(order))
    pipeline.settle()
    assert pipeline.dead() == [(SUBMISSION, "order o: a limit order has a price, a market order has none")]
    assert pipeline.reports() == []


TREND = {"strategy": {"name": "TrendFollowStrategy"}, "sizer": {"name": "FixedAmountSizer"}}
BAD_CONFIGS: dict[str, tuple[Any, str]] = {
    "unknown strategy": (TREND | {"strategy": {"name": "GetRichStrategy"}}, "strategy: unknown strategy 'GetRichStrategy'; known: "),
    "unknown risk manager": (TREND | {"risk_managements": [{"name": "NoRisk"}]}, "risk_managements[0]: unknown risk 'NoRisk'; known: "),
    "unknown sizer": (TREND | {"sizer": {"name": "Big"}}, "sizer: unknown sizer 'Big'; known: "),
    "wrong type of a parameter": (
        TREND | {"strategy": {"name": "TrendFollowStrategy", "params": {"short_period": "five"}}},
        "strategy TrendFollowStrategy: short_period = 'five': Expected `int`, got `str`",
    ),
    "ratio of 20 for 0.2": (
        TREND | {"risk_managements": [{"name": "PositionRatioRisk", "params": {"max_position_ratio": 20}}]},
        "risk_managements[0] PositionRatioRisk: max_position_ratio = 20: Expected `float` <= 1.0",
    ),
    "unknown parameter": (
        TREND | {"strategy": {"name": "TrendFollowStrategy", "params": {"speed": 5}}},
        "strategy TrendFollowStrategy: unknown parameter 'speed'; known: short_period, long_period",
    ),
    "no strategy": ({"sizer": {"name": "FixedAmountSizer"}}, "strategy is missing"),
    "not an object": ([1, 2], "strategy is missing"),
}


@pytest.mark.parametrize(("given", "text"), BAD_CONFIGS.values(), ids=BAD_CONFIGS.keys())
def test_portfolio_with_a_bad_config_is_in_error_with_the_text_and_cannot_be_started(given: Any, text: str) -> None:
    pipeline = Pipeline()
    pipeline.create(given)
    snapshot = pipeline.snapshot()
    assert snapshot.status == "error"
    assert text in snapshot.error
    (alert,) = pipeline.alerts("portfolio_error")
    assert text in alert.message
    (refused,) = pipeline.alerts("command_refused")
    assert f"portfolio.start for portfolio {PID} refused: its config is wrong" in refused.message
    pipeline.send(price("10:00:03", 10.0))
    assert (pipeline.orders(), pipeline.dead()) == ([], [])
    assert pipeline.audit().ok


@pytest.mark.parametrize(("given", "text"), [case for name, case in BAD_CONFIGS.items() if name != "not an object"])
def test_creating_a_portfolio_with_a_bad_config_is_refused_with_the_same_text(given: Any, text: str) -> None:
    assert any(text in error for error in NewPortfolio("a", "u", Decimal(100_000), given).errors())


def test_portfolio_with_several_errors_is_told_all_of_them() -> None:
    pipeline = Pipeline()
    wrong = {
        "strategy": {"name": "TrendFollowStrategy", "params": {"short_period": 30, "long_period": 20}},
        "sizer": {"name": "No"},
        "x": 1,
    }
    pipeline.command("portfolio.create", name="", initial_cash=-5, config=wrong)
    error = pipeline.snapshot().error
    for text in ("initial_cash is -5", "name is ''", "short_period = 30 must be less than long_period = 20", "unknown sizer 'No'", "'x'"):
        assert text in error


def test_cash_with_five_decimals_is_an_error_with_the_text() -> None:
    pipeline = Pipeline()
    pipeline.command("portfolio.create", name="a", initial_cash=0.00001, config=TREND)
    assert "initial_cash: 1e-05 CNY has more than four decimals" in pipeline.snapshot().error
