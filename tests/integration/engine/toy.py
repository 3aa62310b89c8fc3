"""The engine's toy: counters. A process of it is one node; tests start, kill and stop such processes.

Input: key = counter, value = {"id": …, "n": …}; the same id counts once. Output: {"counter", "total", "id", "source",
"epoch"} for each input that counted. A claim is {"claim": true, "source", "epoch"}.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

from ginkgo_streams.engine import runner as engine_runner
from ginkgo_streams.engine import watchdog
from ginkgo_streams.engine.app import AppSettings, EngineApp, consume, run
from ginkgo_streams.engine.arrival import Arrival
from ginkgo_streams.engine.envelope import OWNED
from ginkgo_streams.engine.internals import LocalCopy, owned_partitions, request_rejoin, send
from ginkgo_streams.engine.provision import provision
from ginkgo_streams.engine.reducer import Effects, Key, Output, Record, Stamp
from ginkgo_streams.engine.runner import Runner
from ginkgo_streams.engine.topics import compacted, kept

APP = "toy"
INPUT, OUTPUT, DEAD = "toy.in", "toy.out", "toy.dead"
SLOTS = 4
TOPICS = [
    kept(INPUT, SLOTS, 1), kept(OUTPUT, SLOTS, 1), kept(DEAD, 1, 1),
    compacted(f"{APP}-counters-changelog", SLOTS), compacted(f"{APP}-sums-changelog", SLOTS),
]  # fmt: skip


def never_returns() -> None:
    """As a strategy that waits for something which does not come."""
    while True:
        time.sleep(0.01)


class Counters:
    """Counters (hard: written at once) and a sum over the slot's inputs (soft: written at checkpoints)."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.counters: dict[str, dict[str, Any]] = {}
        self.sum = 0
        self.sum_touched = False

    def load(self, table: str, key: str, value: bytes) -> None:
        if table == "counters":
            self.counters[key] = json.loads(value)
        else:
            self.sum = int(value)

    def recovered(self) -> Effects:
        """The last outputs may be lost."""
        return Effects(outputs=[self._output(name, c["last"], c["total"]) for name, c in self.counters.items()])

    def coalesce(self, messages: list[Any]) -> list[Any]:
        return messages

    def apply(self, record: Record) -> Effects:
        effects = Effects()
        name, message = record.message
        if message["n"] == "poison" and "TOY_FIXED" not in os.environ:
            raise RuntimeError("a bug in the reducer")
        if message["n"] == "endless" and "TOY_FIXED" not in os.environ:
            watchdog.LOOK_S = 0.3
            never_returns()
        if message["n"] in ("poison", "endless"):
            message = {**message, "n": 1}
        if record.fresh("sums", "sum"):
            self.sum += message["n"]
            self.sum_touched = True
        if not record.fresh("counters", name):
            return effects
        counter = self.counters.setdefault(name, {"total": 0, "ids": [], "last": "", "inputs": 0})
        if message["id"] in counter["ids"]:
            return effects
        counter["total"] += message["n"]
        counter["inputs"] += 1
        counter["ids"] = [*counter["ids"][-999:], message["id"]]
        counter["last"] = message["id"]
        effects.dirty.append(("counters", name))
        effects.outputs.append(self._output(name, message["id"], counter["total"]))
        return effects

    def _output(self, name: str, cause: str, total: int) -> Output:
        def encode(stamp: Stamp) -> bytes:
            return json.dumps({"counter": name, "total": total, "id": cause, "source": stamp.source, "epoch": stamp.epoch}).encode()

        return Output(OUTPUT, name.encode(), self.index, encode)

    def settled(self) -> Effects:
        return Effects()

    def touched(self) -> list[list[Key]]:
        return [[], [("sums", "sum")] if self.sum_touched else []]

    def encode(self, table: str, key: str) -> bytes:
        if table == "counters":
            return json.dumps(self.counters[key]).encode()
        self.sum_touched = False
        return str(self.sum).encode()


class RejoinsOnce(Runner):
    """Asks for another rebalance where its slots are recovered and would be loaded, the first time."""

    rejoined = False

    async def load(self) -> None:
        if self.rejoined:
            await super().load()
            return
        self.rejoined = True
        request_rejoin(self.app)


class AllOrNothing(Runner):
    """Loads nothing while others have some of the slots."""

    async def load(self) -> None:
        if len(owned_partitions(self.app, self.tables[0].changelog_topic_name)) == SLOTS:
            await super().load()
        else:
            print("ABSTAINS", flush=True)


class Narrow(Runner):
    """Has room for a few inputs, and begins to write when it has none left; says how many it had at most."""

    most = 0

    async def take(self, arrival: Arrival, *rest: Any, **options: Any) -> None:
        await super().take(arrival, *rest, **options)
        self.most = max(self.most, self.backlog())

    async def _write_loop(self) -> None:
        while self.backlog() < engine_runner.INBOX_BOUND:
            await asyncio.sleep(0.01)
        await super()._write_loop()

    async def release(self) -> None:
        await super().release()
        print(f"MOST {self.most}", flush=True)


class Deaf(Runner):
    """Fetches nothing any more once its slots are loaded, and is watched closely."""

    async def load(self) -> None:
        await super().load()
        watchdog.LOOK_S = 0.3
        thread = self.app.consumer._thread
        thread.thread_loop.call_soon_threadsafe(thread._consumer._fetcher._fetch_task.cancel)


def rejoin_early(app: Any, table: Any, owned: bool) -> None:
    """Ask for another rebalance with the first piece of changelog that is recovered, while there is more to come. owned: as one whose
    copies will not be found given back."""
    whole = table.apply_changelog

    def first(partition: int, records: Any) -> None:
        table.apply_changelog = whole
        whole(partition, records)
        if owned:
            for index in range(SLOTS):
                LocalCopy(table, index).write([(OWNED, b"1")])
        print("REJOINS", flush=True)
        request_rejoin(app)

    table.apply_changelog = first


def toy_app(bootstrap: str, node_id: str, datadir: Path) -> EngineApp:
    """The app of one node. TOY_UNHURRIED: it makes no checkpoint while a test looks. TOY_STANDBYS: copies of each slot, 1 if not given."""
    if "TOY_UNHURRIED" in os.environ:
        engine_runner.CHECKPOINT_S = 3600.0
    app = EngineApp(AppSettings(APP, node_id, bootstrap, datadir, standbys=int(os.environ.get("TOY_STANDBYS", "1"))))
    topic = app.raw_topic(INPUT)
    tables = [app.fenced_table("counters", SLOTS), app.fenced_table("sums", SLOTS)]
    if "TOY_REJOIN_EARLY" in os.environ:
        rejoin_early(app, tables[0], os.environ["TOY_REJOIN_EARLY"] == "owned")
    kinds = {"TOY_REJOIN": RejoinsOnce, "TOY_DEAF": Deaf, "TOY_NARROW": Narrow, "TOY_ALL_OR_NOTHING": AllOrNothing}
    kind = next((kinds[name] for name in kinds if name in os.environ), Runner)
    engine_runner.INBOX_BOUND = int(os.environ.get("TOY_NARROW", engine_runner.INBOX_BOUND))
    runner = kind(
        app, "toy", tables, Counters, [INPUT],
        claims=lambda index: [(OUTPUT, index)],
        claim_message=lambda index, epoch: json.dumps({"claim": True, "source": index, "epoch": epoch}).encode(),
        on_loaded=lambda slots: print("\n".join(f"OWNS {index} epoch {owned.epoch}" for index, owned in slots.items()), flush=True),
        on_released=lambda: print("RELEASED", flush=True),
    )  # fmt: skip
    app.runners.append(runner)

    async def take(arrival: Arrival) -> None:
        await runner.take(arrival, ((arrival.key or b"").decode(), json.loads(arrival.value or b"")))

    async def reject(arrival: Arrival, error: ValueError) -> None:
        await runner.take(arrival, None, also=await send(app, DEAD, arrival.key, arrival.value or b"", 0))

    @app.agent(topic)  # type: ignore[untyped-decorator]
    async def count(stream: Any) -> None:
        await consume(app, stream, take, reject)

    async def topics() -> None:
        await provision(bootstrap, TOPICS, 30)

    app.before_start.append(topics)
    return app


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--node-id", required=True)
    parser.add_argument("--datadir", type=Path, required=True)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    return run(toy_app(options.bootstrap, options.node_id, options.datadir), "INFO")


if __name__ == "__main__":
    sys.exit(main())
