"""The whole system without Kafka: the real adapters joined as the two apps join them, every hop as bytes.

prices -> market_data.decode -> exchange, and by the real router as Ticks -> portfolios -> orders_submission.decode ->
gateway -> sim_orders.decode -> exchange -> orders_feedback.decode -> portfolios
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any, cast

from ginkgo_streams import messages as m
from ginkgo_streams.agents.livecore import control_commands as engine_commands
from ginkgo_streams.agents.livecore import market_data, orders_submission, sim_orders
from ginkgo_streams.agents.node import control_commands, orders_feedback
from ginkgo_streams.apps.cluster import Cluster
from ginkgo_streams.audit.check import AuditInput, audit
from ginkgo_streams.audit.records import Raw
from ginkgo_streams.audit.report import AuditReport
from ginkgo_streams.domain.exchange.exchange import Exchange
from ginkgo_streams.domain.exchange.settings import ExchangeSettings
from ginkgo_streams.domain.market.profile import Profile
from ginkgo_streams.domain.portfolio import Portfolio
from ginkgo_streams.domain.portfolios import Portfolios
from ginkgo_streams.engine.owned import Fenced
from ginkgo_streams.partitioner import partition_of
from ginkgo_streams.routing import Router
from ginkgo_streams.slots.exchange import EXCHANGE, ExchangeSlot, Market
from ginkgo_streams.slots.gateway import GATEWAY, GatewaySlot
from ginkgo_streams.slots.portfolios import PORTFOLIOS, WINDOWS, PortfolioSlot
from ginkgo_streams.topics import (
    ALERTS,
    CONTROL,
    FEEDBACK,
    HALTS,
    INTEREST,
    LIVECORE_APP,
    MARKET_DATA,
    NODE_APP,
    SIM_ORDERS,
    SNAPSHOTS,
    SUBMISSION,
    TICKS,
)  # fmt: skip
from tests.scenarios.broker import Broker
from tests.scenarios.process import Process, Role
from tests.scenarios.script import FRIDAY, REGISTRY, ts
from tests.unit.domain.market.shanghai import profile as shanghai

PROFILE = shanghai()
PID, OTHER_PID = "9f1c1f4e-5a0e-4b7e-8d5c-0a1b2c3d4e01", "9f1c1f4e-5a0e-4b7e-8d5c-0a1b2c3d4e05"
"""In slot 0 and in slot 1."""
CODE, OTHER, CHINEXT = "000001.SZ", "600036.SH", "300750.SZ"
"""In partition 1, 0 and 0 of the codes; the last has price limits of 20 %."""
SLOTS, MARKETS = 2, 2

LOOP = asyncio.new_event_loop()

Place = tuple[str, int]
"""(portfolios, gateway or exchange; slot or market partition)."""


def price(time: str | int, cny: float, code: str = CODE, **others: Any) -> m.PriceUpdate:
    """A tick. 10 million shares have traded, so that what fills, fills whole, unless `volume` says otherwise."""
    moment = ts(time) if isinstance(time, str) else time
    return m.PriceUpdate(**{"timestamp": m.iso(moment), "code": code, "price": cny, "volume": 10_000_000, **others})


def config(strategy: str = "ScriptStrategy", params: Any = None, *, risks: Iterable[tuple[str, Any]] = (), volume: int = 1_000,
           codes: Iterable[str] | None = None, **others: Any) -> dict[str, Any]:  # fmt: skip
    """A portfolio's config in the quickstart's form: a fixed volume unless `others` has another sizer."""
    made: dict[str, Any] = {
        "strategy": {"name": strategy, "params": params or {}},
        "risk_managements": [{"name": name, "params": given} for name, given in risks],
        "sizer": {"name": "FixedVolumeSizer", "params": {"volume": volume}},
    }
    if codes is not None:
        made["selector"] = {"name": "FixedSelector", "params": {"codes": list(codes)}}
    return made | others


def script(plan: dict[str, str], **others: Any) -> dict[str, Any]:
    """Parameters of ScriptStrategy: {"10:00:03": "buy 000001.SZ, sell 600036.SH"}."""
    return {"plan": {time: said.split(", ") for time, said in plan.items()}, **others}


class Pipeline:
    """Two slots of portfolios, two partitions of codes, each slot and partition on a process of its own."""

    def __init__(self, rules: ExchangeSettings | None = None, profile: Profile = PROFILE) -> None:
        self.broker = Broker(SLOTS, MARKETS)
        self.cluster = Cluster("nowhere:0", LIVECORE_APP, SLOTS)
        self._rules, self._profile = rules or ExchangeSettings(), profile
        self._told = 0
        self._commands = 0
        self._epoch = 0
        self.zombies: list[Process] = []
        self.left_out: list[str] = []
        self.committed: dict[Place, dict[str, int]] = {}
        self.processes: dict[Place, Process] = {}
        for name, count in (("portfolios", SLOTS), ("gateway", SLOTS), ("exchange", MARKETS)):
            for index in range(count):
                self.start((name, index))

    # ---- processes ----

    def start(self, place: Place) -> Process:
        """A new owner of a place, with an empty disk. The old one has crashed, or does not know yet that it is no owner."""
        self._epoch += 1
        if (old := self.processes.get(place)) is not None:
            old.fenced = True
            self.zombies.append(old)
        roles = {"portfolios": self._node, "gateway": self._gateway, "exchange": self._exchange}
        started = Process(self.broker, roles[place[0]](), place[1], self._epoch, self.committed.setdefault(place, {}))
        self.processes[place] = started
        return started

    def _node(self) -> Role:
        return Role(
            NODE_APP, (PORTFOLIOS, WINDOWS),
            {TICKS: lambda value: Fenced(m.decode_ticks(value)), FEEDBACK: orders_feedback.decode,
             CONTROL: lambda value: Fenced(control_commands.decode(value))},
            lambda index: PortfolioSlot(index, f"node-{index}", self._profile, MARKETS, registry=REGISTRY),
            lambda index: [(SUBMISSION, index)], _claim,
        )  # fmt: skip

    def _gateway(self) -> Role:
        return Role(
            LIVECORE_APP, (GATEWAY,), {SUBMISSION: orders_submission.decode, CONTROL: lambda value: Fenced(engine_commands.decode(value))},
            lambda index: GatewaySlot(MARKETS), lambda index: [], _claim,
        )  # fmt: skip

    def _exchange(self) -> Role:
        router = Router(self._interest, self._send_ticks, window_s=0, clock_s=0)

        async def route(market: Market) -> None:
            added = router.add(market.quotes or m.no_quotes(), market.clock)
            await router.flush()
            await added

        return Role(
            LIVECORE_APP, (EXCHANGE,),
            {MARKET_DATA: self._prices, SIM_ORDERS: lambda value: Fenced(sim_orders.decode(value))},
            lambda index: ExchangeSlot(index, Exchange(self._profile, self._rules), SLOTS),
            lambda index: [*((FEEDBACK, slot) for slot in range(SLOTS)), (HALTS, 0)], _claim,
            on_taken=lambda message: LOOP.run_until_complete(route(message)) if isinstance(message, Market) else None,
        )  # fmt: skip

    def _prices(self, value: bytes) -> Fenced:
        market, wrong = market_data.decode(value)
        if wrong is not None:
            self.left_out.append(str(wrong))
        return Fenced(market)

    def _interest(self) -> Any:
        records = self.broker.log(INTEREST, 0)
        for key, value in records[self._told :]:
            self.cluster.interest_table.take(key, value)
        self._told = len(records)
        return self.cluster.interest()

    async def _send_ticks(self, slot: int, value: bytes) -> None:
        self.broker.send(TICKS, str(slot).encode(), value, slot)

    def settle(self) -> None:
        """Everything on its way arrives, until nothing moves any more."""
        moved = True
        while moved:
            moved = False
            for process in self.processes.values():
                for topic in process.role.inputs:
                    if count := process.waiting(topic):
                        process.take(topic, count)
                        moved = True
                process.group()
                process.drain()

    def checkpoint(self) -> None:
        """All slots are made durable, their inputs committed."""
        for process in self.processes.values():
            process.checkpoint()
            process.drain()

    # ---- in ----

    def send(self, *updates: m.PriceUpdate, settle: bool = True, clock: bool = True) -> None:
        """Prices as a feed publishes them: one array a partition of codes, behind a clock of the second before."""
        if clock:
            self.clock(min(m.ms(update.timestamp) for update in updates) - 1_000, settle)
        for partition in range(MARKETS):
            if of_it := [update for update in updates if partition_of(update.code, MARKETS) == partition]:
                self.broker.send(MARKET_DATA, of_it[0].code.encode(), m.encode(of_it), partition)
        if settle:
            self.settle()

    def clock(self, time: str | int, settle: bool = True) -> None:
        """The feed's clock."""
        value = m.encode(m.ClockTick(timestamp=m.iso(ts(time) if isinstance(time, str) else time)))
        for partition in range(MARKETS):
            self.broker.send(MARKET_DATA, b"clock", value, partition)
        if settle:
            self.settle()

    def command(self, kind: Any, target: str = PID, time: str = "09:00:00", settle: bool = True, **params: Any) -> m.ControlCommand:
        """A control command."""
        self._commands += 1
        made = m.ControlCommand(
            command_id=f"command-{self._commands}",
            command_type=kind,
            target_id=target,
            params=params,
            timestamp=m.iso(ts(time)),
            issued_by="me",
        )
        self.broker.send(CONTROL, target.encode(), m.encode(made))
        if settle:
            self.settle()
        return made

    def create(self, given: dict[str, Any], pid: str = PID, cash: float = 100_000, time: str = "09:00:00", start: bool = True) -> None:
        """A portfolio, and its start."""
        self.command("portfolio.create", pid, time, name=f"name of {pid}", user_id="u1", initial_cash=cash, config=given)
        if start:
            self.command("portfolio.start", pid, time)

    # ---- out ----

    def orders(self) -> list[m.OrderSubmission]:
        """Orders on the topic, as often as they stand there."""
        return [each for each in self.submitted() if isinstance(each, m.OrderSubmission)]

    def submitted(self) -> list[m.OrderMessage]:
        """All that portfolios said to the broker."""
        return [m.decode(value, m.OrderMessage) for value in self.broker.values(SUBMISSION)]

    def reports(self, order_id: str | None = None) -> list[Any]:
        """Reports on the topic: of one order, or all."""
        found = [m.decode(value, m.Feedback) for value in self.broker.values(FEEDBACK)]
        return [each for each in found if not isinstance(each, m.Claim) and order_id in (None, each.order_id)]

    def kinds(self, order_id: str) -> list[str]:
        """The event types of the reports of an order."""
        return [type(report).__struct_config__.tag for report in self.reports(order_id)]

    def snapshot(self, pid: str = PID) -> m.Snapshot:
        """The newest snapshot of a portfolio, as a checkpoint now would publish it."""
        self.checkpoint()
        return max(
            (each for each in map(_snapshot, self.broker.values(SNAPSHOTS)) if each.portfolio_id == pid),
            key=lambda each: (each.epoch, each.seq),
        )

    def portfolio(self, pid: str = PID) -> Portfolio:
        """The value of a portfolio."""
        return next(state.portfolios[pid] for state in self.states() if pid in state.portfolios)

    def alerts(self, kind: str) -> list[m.Alert]:
        """Alerts of a type, each once."""
        found = {alert.alert_id: alert for alert in (m.decode(value, m.Alert) for value in self.broker.values(ALERTS))}
        return [alert for alert in found.values() if alert.alert_type == kind]

    def ticks(self, slot: int) -> list[tuple[str, int]]:
        """(code, ts) of the updates that a slot was sent, in order."""
        batches = [m.decode_ticks(value) for _, value in self.broker.log(TICKS, slot)]
        return [pair for batch in batches for pair in zip(batch.codes, batch.quotes().data[0].tolist(), strict=True)]

    def dead(self) -> list[tuple[str, str]]:
        """(topic, reason) of the dead letters."""
        return [(topic, reason) for process in self.processes.values() for topic, _, reason in process.dead]

    def states(self) -> Iterator[Portfolios]:
        """The kernels of the slots."""
        return (cast(PortfolioSlot, self.processes["portfolios", index].owned.slot).state for index in range(SLOTS))

    def exchanges(self) -> Iterator[Exchange]:
        """The exchanges of the partitions of codes."""
        return (cast(ExchangeSlot, self.processes["exchange", index].owned.slot).exchange for index in range(MARKETS))

    def audit(self) -> AuditReport:
        """The books, by the auditor, from the raw records; the ledgers' own invariants are checked on the way."""
        for state in self.states():
            for portfolio in state.portfolios.values():
                portfolio.check()
        self.checkpoint()
        return audit(self.audited())

    def audited(self) -> AuditInput:
        """The raw records that the auditor reads."""
        return AuditInput(self._raw(SUBMISSION), self._raw(FEEDBACK), list(self.broker.values(SNAPSHOTS)))

    def _raw(self, topic: str) -> list[Raw]:
        return [Raw(slot, offset, value) for slot in range(SLOTS) for offset, (_, value) in enumerate(self.broker.log(topic, slot))]


def opened(given: dict[str, Any], cash: float = 100_000, codes: Iterable[str] = (CODE, OTHER), **others: Any) -> Pipeline:
    """A running portfolio that has seen each code at 10.00, its previous close, at 09:59:57 on DAY."""
    made = Pipeline(**others)
    made.create(given, cash=cash)
    made.clock("09:59:57")
    made.send(*(price("09:59:57", 10.0, code, prev_close=10.0) for code in codes))
    return made


def held(given: dict[str, Any], cash: float = 100_000, code: str = CODE) -> Pipeline:
    """The same, with shares bought at 10.00 on the Friday before: the config plans that buy at FRIDAY."""
    made = Pipeline()
    made.create(given, cash=cash, time="2026-11-20T09:00:00")
    for time in ("2026-11-20T09:59:57", FRIDAY, "2026-11-20T10:00:03"):
        made.send(price(time, 10.0, code, prev_close=10.0))
    made.clock("2026-11-20T15:00:00")
    made.clock("09:59:57")
    made.send(price("09:59:57", 10.0, code, prev_close=10.0))
    assert made.snapshot().positions[0].available_volume > 0
    return made


def _claim(index: int, epoch: int) -> bytes:
    return m.encode(m.Claim(timestamp=m.iso(ts("09:00:00")), node_id="node", slot=index, epoch=epoch))


def _snapshot(value: bytes) -> m.Snapshot:
    found = m.decode(value, m.Snapshot)
    assert isinstance(found, m.Snapshot)
    return found


def slot_of(pid: str) -> int:
    """The slot of a portfolio."""
    return partition_of(pid, SLOTS)
