"""A story, and every byte that a release wrote while it happened: topics and changelogs, kept so that later releases are held to them.

    python -m tests.scenarios.recording NAME

writes tests/scenarios/recordings/NAME.json.gz, once for each release whose state or messages differ from the last one's. A recording is
never made again by later code: that would test nothing.
"""

from __future__ import annotations

import gzip
import json
import sys
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

from ginkgo_streams import messages as m
from ginkgo_streams.domain.exchange.settings import ExchangeSettings
from ginkgo_streams.topics import EVENTS, SCHEDULE
from tests.scenarios.harness import CHINEXT, CODE, OTHER, OTHER_PID, PID, Pipeline, config, price, script

FOLDER = Path(__file__).with_name("recordings")
RULES = ExchangeSettings(reject_rate=0.2, seed=6)
"""One order of the story is rejected."""

PLAN = script({
    "2026-11-20T10:00:00": f"buy {CODE}", "2026-11-20T10:02:00": f"buy {OTHER}",
    "10:00:03": f"sell {CODE}", "10:02:03": f"buy {OTHER}, buy {CHINEXT}",
})  # fmt: skip
RISKS = [
    ("PositionRatioRisk", {"max_position_ratio": 0.5}), ("LossLimitRisk", {"loss_limit": 20}),
    ("ProfitTargetRisk", {"profit_target": 50, "trailing_percent": 30}), ("PriceLimitRisk", {}),
]  # fmt: skip


def story(pipeline: Pipeline) -> None:
    """Two portfolios over two days, up to a crash of every process with orders open: what was taken last is not durable."""
    trend = config("TrendFollowStrategy", {"short_period": 1, "long_period": 2}, risks=RISKS, codes=[CODE, CHINEXT])
    pipeline.create(config(params=PLAN, codes=[CODE, OTHER, CHINEXT]), time="2026-11-20T09:00:00")
    pipeline.create(trend, OTHER_PID, time="2026-11-20T09:00:00")
    for second, cny in (("09:59:57", 10.0), ("10:00:00", 10.0), ("10:00:03", 10.1), ("10:00:06", 10.1), ("10:02:00", 10.1)):
        all_at(pipeline, f"2026-11-20T{second}", cny, prev_close=10.0)
    all_at(pipeline, "2026-11-20T10:02:03", 10.5, prev_close=10.0)  # what is bid for stays behind, and expires
    pipeline.send(price("2026-11-20T10:02:06", 99.0, prev_close=10.0))
    pipeline.clock("2026-11-20T15:00:01")
    pipeline.command("engine.stop", "engine", time="2026-11-20T15:00:02")
    pipeline.command("engine.start", "engine", time="2026-11-20T15:00:03")
    for second in ("09:59:57", "10:00:03", "10:00:06", "10:02:03"):
        all_at(pipeline, second, 10.4, prev_close=10.5)
    pipeline.send(price("10:02:06", 10.4, OTHER, volume=4_000))  # fills 400 of 1,000
    chinext = next(order for order in pipeline.orders() if order.code == CHINEXT and order.portfolio_id == PID)
    pipeline.command("order.cancel", time="10:02:07", order_id=chinext.order_id)
    pipeline.checkpoint()
    all_at(pipeline, "10:02:09", 10.6, volume=0)
    all_at(pipeline, "10:02:12", 10.6, volume=0, settle=False)
    for process in pipeline.processes.values():
        for topic in process.role.inputs:
            process.take(topic, process.waiting(topic))


def recovered(pipeline: Pipeline) -> dict[str, Any]:
    """What new owners find of each portfolio, before they take anything. Money in units of 0.0001 CNY."""
    found = {}
    for pid in (PID, OTHER_PID):
        one = pipeline.portfolio(pid)
        found[pid] = {
            "status": one.status, "cash": one.ledger.cash, "frozen": one.ledger.frozen, "orders": one.order_count, "fills": one.fill_count,
            "positions": {code: [p.volume, p.cost, p.frozen] for code, p in one.ledger.positions.items()},
            "open": {order_id: [o.status, o.filled, o.report_seq] for order_id, o in one.open_orders.items()},
            "days": [[row.day, row.total_value, row.daily_pnl] for row in one.history],
        }  # fmt: skip
    return found


def sequel(pipeline: Pipeline) -> None:
    """How it goes on, to the end of the day."""
    pipeline.settle()
    all_at(pipeline, "10:03:00", 10.3)
    all_at(pipeline, "10:05:00", 10.7)
    all_at(pipeline, "10:05:03", 10.6)
    pipeline.clock("15:00:01")


def all_at(pipeline: Pipeline, time: str, cny: float, settle: bool = True, **others: Any) -> None:
    """An update of each of the three codes."""
    pipeline.send(*(price(time, cny, code, **others) for code in (CODE, OTHER, CHINEXT)), settle=settle)


def other_messages() -> list[tuple[str, bytes, bytes]]:
    """(topic, key, value) of the kinds that no story of portfolios has."""
    time = "2026-11-23T02:00:00.000Z"
    events: list[m.NodeOnline | m.NodeOffline] = [
        m.NodeOnline(timestamp=time, node_id="node-1"),
        m.NodeOffline(timestamp=time, node_id="node-1", reason="stopped"),
    ]
    updates = [
        m.ScheduleUpdate(timestamp=time, kind="pin", subject="3", node_id="node-1", reason="by hand", issued_by="me"),
        m.ScheduleUpdate(timestamp=time, kind="disabled", subject="node-1", active=False),
        m.ScheduleUpdate(timestamp=time, kind="epoch", subject="execution_node_group", value=7),
    ]
    return [
        *((EVENTS, event.node_id.encode(), m.encode(event)) for event in events),
        *((SCHEDULE, f"{update.kind}:{update.subject}".encode(), m.encode(update)) for update in updates),
    ]


def record() -> dict[str, Any]:
    """The story, told by the code that runs this."""
    pipeline = Pipeline(rules=RULES)
    story(pipeline)
    for topic, key, value in other_messages():
        pipeline.broker.send(topic, key, value)
    made = {
        "epoch": max(process.epoch for process in pipeline.processes.values()),
        "committed": {f"{name}/{index}": dict(done) for (name, index), done in pipeline.committed.items()},
        "topics": {
            topic: [[[_text(key), _text(value)] for key, value in log] for log in partitions]
            for topic, partitions in pipeline.broker.partitions.items()
            if any(partitions)
        },
    }
    for place in list(pipeline.processes):
        pipeline.start(place)
    return made | {"recovered": recovered(pipeline)}


def load(name: str) -> tuple[Pipeline, dict[str, Any]]:
    """A recording, as the processes of today's code find it: not one of them has started; and what the code of then recovered."""
    found = json.loads(gzip.decompress((FOLDER / f"{name}.json.gz").read_bytes()))
    pipeline = Pipeline(rules=RULES)
    for logs in pipeline.broker.partitions.values():
        logs[:] = [[] for _ in logs]  # the claims of the processes that a pipeline begins with
    for topic, partitions in found["topics"].items():
        pipeline.broker.partitions[topic] = [[(b64decode(key), b64decode(value)) for key, value in log] for log in partitions]
    for place, done in found["committed"].items():
        name_, index = place.split("/")
        pipeline.committed[name_, int(index)] = dict(done)
    pipeline._epoch = found["epoch"]
    return pipeline, found["recovered"]


def _text(value: bytes) -> str:
    return b64encode(value).decode()


if __name__ == "__main__":
    (FOLDER / f"{sys.argv[1]}.json.gz").write_bytes(gzip.compress(json.dumps(record(), indent=0).encode(), mtime=0))
