"""Properties of the portfolios over any course of events: the books add up whatever the exchange says and in whatever order, a
crash between any two steps changes nothing, and portfolios do not see each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ginkgo_streams.domain.changes import Changes
from ginkgo_streams.domain.config import Kit
from ginkgo_streams.domain.events import BUY, Command, Order, Quotes, Report
from ginkgo_streams.domain.portfolio import Portfolio
from ginkgo_streams.domain.portfolios import Portfolios
from ginkgo_streams.domain.pricing import affordable, buy_cost
from ginkgo_streams.domain.versions import KEEP_VERSIONS
from ginkgo_streams.domain.windows import CLOCK, chunk_name
from tests.unit.domain.portfolio.desk import PROFILE, always, config, quote, quotes, ts, units

CODES = ("000001.SZ", "600000.SH", "688001.SH")
IDS = ("p1", "p2", "p3")
RANDOM = ("RandomSignalStrategy", {"seed": 3, "probability": 0.6})
CONFIGS = {
    "p1": config(*RANDOM, risks=[("PositionRatioRisk", {"max_position_ratio": 0.4}), ("LossLimitRisk", {"loss_limit": 3.0})],
                 sizer_params={"volume": 700}, min_signal_interval=5),
    "p2": config("TrendFollowStrategy", {"short_period": 2, "long_period": 4}, sizer="FixedAmountSizer", sizer_params={"amount": 20_000},
                 risks=[("ProfitTargetRisk", {"profit_target": 1.0, "trailing_percent": 0.5, "partial_ratio": 0.5})], codes=CODES[:2]),
    "p3": config(*RANDOM, sizer="FixedAmountSizer", sizer_params={"amount": 90_000}, min_signal_interval=3),
}  # fmt: skip

TREND = config("TrendFollowStrategy", {"short_period": 1, "long_period": 4}, codes=CODES[:2], min_signal_interval=5)
TRAILING: tuple[str, dict[str, Any]] = ("ProfitTargetRisk", {"profit_target": 0.5, "trailing_percent": 0.2})
RELOADS = {
    "p1": (
        config("RandomSignalStrategy", {"seed": 9, "probability": 0.4}, risks=[TRAILING], min_signal_interval=4, codes=CODES[:2]),
        config(*RANDOM, risks=[("LossLimitRisk", {"loss_limit": 2.0}), TRAILING], sizer_params={"volume": 300}, min_signal_interval=5),
    ),
    "p2": (TREND, CONFIGS["p2"] | {"risk_managements": [{"name": "LossLimitRisk", "params": {"loss_limit": 1.0}}]}),
    "p3": (config(*RANDOM, risks=[TRAILING], sizer_params={"volume": 500}, min_signal_interval=3), CONFIGS["p3"]),
}
"""Configs that look at as many prices as those before: how deep the windows are depends on all portfolios that a slot has had."""

Step = tuple[str, Any]


@st.composite
def courses(draw: st.DrawFn) -> list[Step]:
    """Quotes (with doubles, late ones, jumps, future ones), clocks, closes of days, fills and commands (reloads of the next version, and
    of one that is over or not due yet; some come again), as instructions."""
    return draw(st.lists(st.one_of(
        st.tuples(st.just("quotes"), st.lists(
            st.tuples(st.sampled_from(CODES), st.integers(-30, 30), st.sampled_from([0, 0, 0, 1, -5, 9])), min_size=1, max_size=6,
        )),
        st.tuples(st.just("quotes"), st.lists(
            st.tuples(st.sampled_from(CODES), st.integers(-150, 150), st.just(0)), min_size=1, max_size=3,
        )),
        st.tuples(
            st.just("exchange"), st.tuples(st.integers(0, 9), st.integers(0, 9), st.sampled_from(["ack", "fill", "part", "part", "end"]))
        ),
        st.tuples(st.just("again"), st.integers(0, 30)),
        st.tuples(st.just("hold"), st.integers(0, 3)),
        st.tuples(st.just("next_day"), st.none()),
        st.tuples(st.just("command"), st.tuples(st.sampled_from(IDS), st.sampled_from(["start", "stop", "cancel"]))),
        st.tuples(st.just("reload"), st.tuples(st.sampled_from(IDS), st.integers(0, 1), st.sampled_from([1, 1, 1, 1, 0, 2]))),
        st.tuples(st.just("repeat"), st.integers(0, 20)),
    ), min_size=10, max_size=50))  # fmt: skip


@dataclass
class Broker:
    """An exchange that answers as it likes, but never a lie: it numbers its reports, and repeats them when asked again."""

    orders: dict[str, Order] = field(default_factory=dict)
    filled: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    """Volume, amount, commission so far."""
    ended: set[str] = field(default_factory=set)
    reports: dict[str, list[Report]] = field(default_factory=dict)

    def take(self, order: Order) -> list[Report]:
        """A new order, or an old one again."""
        self.orders.setdefault(order.order_id, order)
        return list(self.reports.setdefault(order.order_id, []))

    def act(self, which: int, tenths: int, kind: str, now: int) -> list[Report]:
        """Something happens to one of the open orders."""
        live = [order for order_id, order in self.orders.items() if order_id not in self.ended]
        if not live:
            return []
        order = live[which % len(live)]
        volume, amount, commission = self.filled.get(order.order_id, (0, 0, 0))
        seq = len(self.reports[order.order_id]) + 1
        base: dict[str, Any] = {"order_id": order.order_id, "portfolio_id": order.portfolio_id, "report_seq": seq, "ts": now}
        if kind == "ack":
            report = Report(kind="ack", **base)
        elif kind == "end":
            self.ended.add(order.order_id)
            report = Report(kind="cancelled" if volume else "rejected", reason_code="NO", message="no", **base)
        else:
            left = order.volume - volume
            part = left if kind == "fill" else max(1, min(left, left * tenths // 10))
            price = order.limit - order.direction * 100 * (tenths % 3)
            fees = PROFILE.fees(order.direction, price * part, PROFILE.trading_day(now), order.code, commission, amount)
            self.filled[order.order_id] = (volume + part, amount + price * part, commission + fees.commission)
            if part == left:
                self.ended.add(order.order_id)
            report = Report(
                kind="filled" if part == left else "partially_filled", code=order.code, direction=order.direction, trade_id="t",
                volume=part, cumulative=volume + part, remaining=left - part, price=price, amount=price * part, commission=fees.commission,
                stamp_duty=fees.stamp_duty, transfer_fee=fees.transfer_fee, **base,
            )  # fmt: skip
        self.reports[order.order_id].append(report)
        return [report]


@dataclass(frozen=True)
class Tick:
    """One record of the ticks topic: prices, then a clock (0: none)."""

    quotes: Quotes | None
    clock: int


Input = Tick | Report | Command


def commands() -> list[Command]:
    """Create and start all portfolios."""
    made = []
    for portfolio_id in IDS:
        params = {"name": portfolio_id, "user_id": "u", "initial_cash": 100_000, "config": CONFIGS[portfolio_id]}
        for number, (kind, content) in enumerate((("portfolio.create", params), ("portfolio.start", {}))):
            command_id = f"{portfolio_id}{number}"
            made.append(Command(command_id=command_id, command_type=kind, target_id=portfolio_id, params=content, ts=ts("09:00:00")))
    return made


Fresh = Callable[[str], bool]


def apply(kernel: Portfolios, value: Input, fresh: Fresh = always, fresh_chunk: Fresh = always) -> list[Changes]:
    """One input, as the adapter gives it."""
    if isinstance(value, Report):
        return [kernel.on_report(value)] if fresh(value.portfolio_id) else []
    if isinstance(value, Command):
        return [kernel.on_command(value)] if fresh(value.target_id) else []
    found = [] if value.quotes is None else [kernel.on_quotes(value.quotes, fresh, fresh_chunk)]
    return found + ([kernel.on_clock(value.clock, fresh)] if value.clock else [])


After = Callable[[Portfolios, int, Input, list[Changes]], None]


def nothing(kernel: Portfolios, number: int, value: Input, given_: list[Changes]) -> None:
    """Nothing behind an input."""


def run(course: list[Step], after: After = nothing) -> tuple[Portfolios, list[Input], Broker]:
    """Drive a kernel with a course; `after` is called behind each input. Returns also the inputs that came of it."""
    kernel, broker = Portfolios(PROFILE), Broker()
    inputs: list[Input] = []
    now, held, prices = ts("10:00:00"), 0, dict.fromkeys(CODES, 1000)
    mail: list[Report] = []

    def give(value: Input) -> None:
        inputs.append(value)
        caused = apply(kernel, value)
        for changes in caused:
            for order in changes.orders:
                mail.extend(broker.take(order))
        after(kernel, len(inputs) - 1, value, caused)

    for command in commands():
        give(command)
    give(Tick(quotes([quote(now, 10.0, code, prev_close=10.0) for code in CODES]), now))
    for number, (kind, what) in enumerate(course):
        now += 3_000
        if kind == "quotes":
            rows = []
            for code, move, late in what:
                price = max(prices[code] + move, 100)
                if abs(move) <= 30:
                    prices[code] = price
                rows.append(quote(now + late * 1_000, price / 100, code, prev_close=0))
            give(Tick(None, now - 1_000))  # a feed's clock: without it, what is "future" would depend on who wants which code
            give(Tick(quotes(rows), now))
        elif kind == "exchange":
            which, tenths, how = what
            mail.extend(broker.act(which, tenths, how, now))
        elif kind == "again":
            repeated = [report for reports in broker.reports.values() for report in reports]
            mail.extend(repeated[what : what + 2])
        elif kind == "hold":
            held = what  # the last of the mail comes in reverse from now on
        elif kind == "next_day":
            day = PROFILE.next_trading_day(PROFILE.calendar_day(now))
            give(Tick(None, PROFILE.close_ts(PROFILE.calendar_day(now))))
            now = PROFILE.continuous_open_ts(day)
            give(Tick(None, now))
        elif kind == "reload":
            portfolio_id, which, ahead = what
            version = kernel.portfolios[portfolio_id].version + ahead
            params = {"version": version, "config": RELOADS[portfolio_id][which]}
            give(Command(command_id=f"c{number}", command_type="portfolio.reload", target_id=portfolio_id, params=params, ts=now))
        elif kind == "repeat":
            sent = [value for value in inputs if isinstance(value, Command)]
            give(sent[-1 - what % len(sent)])
        else:
            portfolio_id, verb = what
            orders = list(kernel.portfolios[portfolio_id].open_orders)
            command_type = "order.cancel" if verb == "cancel" else f"portfolio.{verb}"
            params = {"order_id": orders[0]} if verb == "cancel" and orders else {}
            give(Command(command_id=f"c{number}", command_type=command_type, target_id=portfolio_id, params=params, ts=now))
        while len(mail) > held:
            give(mail.pop(len(mail) - 1 if held else 0))
    while mail:
        give(mail.pop(0))
    return kernel, inputs, broker


@given(courses())
@settings(max_examples=80, deadline=None)
def test_books_equal_the_exchanges_under_doubled_and_reordered_reports(course: list[Step]) -> None:
    def checked(kernel: Portfolios, number: int, value: Input, given_: list[Changes]) -> None:
        for portfolio in kernel.portfolios.values():
            portfolio.check()

    kernel, _, broker = run(course, checked)
    for _ in range(3):  # what is asked for again comes again, in order
        for order in kernel.outstanding().orders:
            for report in broker.take(order):
                kernel.on_report(report)
    for portfolio_id, portfolio in kernel.portfolios.items():
        portfolio.check()
        assert portfolio.error == ""
        mine = [order for order in broker.orders.values() if order.portfolio_id == portfolio_id]
        fills = [r for order in mine for r in broker.reports[order.order_id] if r.volume]
        bought, sold = (sum(r.volume for r in fills if r.direction == d and r.code == CODES[0]) for d in (BUY, -BUY))
        line = {row.code: row for row in kernel.view(portfolio_id).ledger}.get(CODES[0])
        assert (line.bought_volume, line.sold_volume) == (bought, sold) if line else bought == sold == 0
        spent = sum(r.amount * r.direction + r.commission + r.stamp_duty + r.transfer_fee for r in fills)
        assert portfolio.ledger.cash + portfolio.ledger.frozen == units(100_000) - spent
        assert set(portfolio.open_orders) == {order.order_id for order in mine} - broker.ended


@given(courses(), st.data())
@settings(max_examples=80, deadline=None)
def test_crash_between_any_two_steps_changes_nothing(course: list[Step], data: st.DataObject) -> None:
    """Durable values as the engine keeps them: a dirty portfolio after its input, all that is touched at checkpoints (the
    portfolios, then the chunks, then the clock; the crash may cut that short). The successor loads them and replays."""
    table: dict[str, tuple[int, bytes]] = {}
    crash_at = data.draw(st.integers(6, 60), "crash behind input")
    checkpoints = data.draw(st.sets(st.integers(6, 60), max_size=6), "checkpoints behind inputs")
    cut = data.draw(st.integers(0, 8), "records of the last checkpoint that are durable")

    def durable(kernel: Portfolios, number: int, value: Input, given_: list[Changes]) -> None:
        if number > crash_at:
            return
        for changes in given_:
            for portfolio_id in changes.dirty:
                table[portfolio_id] = (number, kernel.encode_portfolio(portfolio_id))
        if number in checkpoints or number == crash_at:
            names = [*kernel.touched_portfolios(), *kernel.touched_chunks()]
            for name in names[: cut if number == crash_at else len(names)]:
                table[name] = (number, kernel.encode_portfolio(name) if name in IDS else kernel.encode_chunk(name))

    kernel, inputs, _ = run(course, durable)
    successor = Portfolios(PROFILE)
    for name, (_, stored) in table.items():
        if name in IDS:
            successor.load_portfolio(name, stored)
        else:
            successor.load_chunk(name, stored)
    for number, value in enumerate(inputs):

        def fresh(name: str, number: int = number) -> bool:
            return number > table.get(name, (-1, b""))[0]

        apply(successor, value, fresh, fresh)
    for portfolio_id in IDS:
        assert successor.encode_portfolio(portfolio_id) == kernel.encode_portfolio(portfolio_id)
    for code in CODES:
        assert successor.encode_chunk(chunk_name(code)) == kernel.encode_chunk(chunk_name(code))
    assert successor.encode_chunk(CLOCK) == kernel.encode_chunk(CLOCK)


@given(courses())
@settings(max_examples=60, deadline=None)
def test_reload_changes_version_config_and_components_and_nothing_that_is_owned_or_open(course: list[Step]) -> None:
    before: dict[str, dict[str, Any]] = {}

    def looked(kernel: Portfolios, number: int, value: Input, given_: list[Changes]) -> None:
        if isinstance(value, Command) and value.command_type == "portfolio.reload":
            portfolio, was = kernel.portfolios[value.target_id], before[value.target_id]
            stays = {name: item for name, item in state(kernel, value.target_id).items() if name not in CHANGED}
            assert stays == {name: item for name, item in was.items() if name not in CHANGED}
            assert portfolio.version - was["version"] in (0, 1)
            assert (portfolio.config == value.params["config"]) or portfolio.version == was["version"]
            assert [v.version for v in portfolio.versions] == list(range(1, portfolio.version + 1))[-KEEP_VERSIONS:]
            assert all(not changes.orders and not changes.cancels for changes in given_)
        before.update({portfolio_id: state(kernel, portfolio_id) for portfolio_id in kernel.portfolios})

    run(course, looked)


CHANGED = (
    "version", "config", "versions", "status", "transitions", "updated_at", "commands", "refusals", "strategy_state", "risk_state",
    "selected", "selected_day",
)  # fmt: skip
"""What a reload may change: the books, the orders and the memory of signals are not in it."""


def state(kernel: Portfolios, portfolio_id: str) -> dict[str, Any]:
    """A copy of a portfolio's value, field by field."""
    copy = msgspec.msgpack.decode(msgspec.msgpack.encode(kernel.portfolios[portfolio_id]), type=Portfolio)
    return {field_.name: getattr(copy, field_.name) for field_ in msgspec.structs.fields(Portfolio)}


@given(st.integers(0, 25), st.integers(0, 25), st.integers(0, 25), st.integers(5, 12))
@settings(max_examples=60, deadline=None)
def test_longer_period_keeps_every_close_there_is_and_a_crash_loses_none(reload_at: int, saved_at: int, crash_at: int, period: int) -> None:
    """Who recovers may hold more closes than the owner before, who had thrown some away: never fewer, and never others."""

    def longer(kernel: Portfolios) -> None:
        given_ = config("TrendFollowStrategy", {"short_period": 2, "long_period": period}, codes=CODES[:1])
        params = {"version": 2, "config": given_}
        kernel.on_command(Command(command_id="longer", command_type="portfolio.reload", target_id="p2", params=params, ts=ts("10:00:00")))

    kernel, durable, chunk = Portfolios(PROFILE), b"", b""
    for command in commands()[2:4]:
        kernel.on_command(command)
    course = [quotes([quote(ts("10:00:00") + n * 3_000, 10 + n % 7 / 100, prev_close=10.0)]) for n in range(26)]
    for number, update in enumerate(course):
        if number == reload_at:
            longer(kernel)
        kernel.on_clock(ts("10:00:00") + number * 3_000, always)
        kernel.on_quotes(update, always, always)
        if number == saved_at:
            chunk = kernel.encode_chunk(chunk_name(CODES[0]))
        if number == crash_at:
            durable = kernel.encode_portfolio("p2")
    successor = Portfolios(PROFILE)
    successor.load_portfolio("p2", durable)
    if saved_at <= crash_at:
        successor.load_chunk(chunk_name(CODES[0]), chunk)
    if successor.portfolios["p2"].version == 1:
        longer(successor)
    for number, update in enumerate(course):
        successor.on_clock(ts("10:00:00") + number * 3_000, lambda _, n=number: n > crash_at)  # type: ignore[misc]
        fresh = number > (saved_at if saved_at <= crash_at else -1)
        successor.on_quotes(update, lambda _, n=number: n > crash_at, lambda _, fresh=fresh: fresh)  # type: ignore[misc]
    closes = [int(update.data[2, 0]) for update in course]
    held, again = (each._market.windows.held(CODES[0]) for each in (kernel, successor))
    assert held <= again <= max(period, 5) + 1
    assert held == min(5 + len(course) - reload_at if reload_at >= 5 else len(course), period + 1)
    row = np.array([successor._market.windows.index[CODES[0]]])
    assert successor._market.windows.updates["close"].last(row, again)[0].tolist() == closes[-again:]


@given(courses(), st.permutations(IDS))
@settings(max_examples=25, deadline=None)
def test_portfolios_do_not_see_each_other(course: list[Step], order: list[str]) -> None:
    kernel, inputs, _ = run(course)
    alone: dict[str, bytes] = {}
    for portfolio_id in IDS:
        single = Portfolios(PROFILE)
        for value in inputs:
            if not isinstance(value, Tick) and (value.portfolio_id if isinstance(value, Report) else value.target_id) != portfolio_id:
                continue
            apply(single, value)
        alone[portfolio_id] = single.encode_portfolio(portfolio_id)
    permuted = Portfolios(PROFILE)
    rank = {portfolio_id: place for place, portfolio_id in enumerate(order)}
    first = sorted(commands(), key=lambda command: (rank[command.target_id], command.command_id))
    for value in [*first, *inputs[len(first) :]]:
        apply(permuted, value)
    for portfolio_id in IDS:
        assert alone[portfolio_id] == kernel.encode_portfolio(portfolio_id) == permuted.encode_portfolio(portfolio_id)


@given(st.integers(1, 3_000), st.integers(0, 10**9), st.integers(0, 10**6), st.sampled_from(CODES))
@settings(max_examples=100, deadline=None)
def test_affordable_volume_is_the_largest_that_fits(tick: int, budget: int, most: int, code: str) -> None:
    limit, day = tick * 100, PROFILE.calendar_day(ts("10:00:00"))
    volume = affordable(PROFILE, code, limit, day, budget, most)
    assert volume == PROFILE.lot_down(code, BUY, volume, 0)
    assert volume <= most
    assert buy_cost(PROFILE, code, limit, volume, day) <= budget
    step = 200 if volume == 0 and code.startswith("688") else 1 if code.startswith("688") else 100
    if volume + step <= min(most, 1_000_000):
        assert buy_cost(PROFILE, code, limit, volume + step, day) > budget


def test_course_trades_at_all() -> None:
    """The courses would prove nothing if no order came of them."""
    steps: list[Step] = [("quotes", [(code, move, 0) for code in CODES]) for move in (0, 5, -9, 12, -3, 8, -8, 9) * 3]
    steps[8:8] = [("exchange", (0, 3, "fill")), ("exchange", (0, 3, "part")), ("next_day", None)]
    kernel, _, _ = run(steps)
    assert all(portfolio.order_count for portfolio in kernel.portfolios.values())
    assert sum(portfolio.fill_count for portfolio in kernel.portfolios.values()) >= 2
    assert isinstance(kernel._kits["p1"], Kit)
