"""Resident memory of a node with 10 portfolios on 5,000 codes under 1,000 price updates a second.

The windows are filled first; then the updates come as the router sends them, 20 every 20 ms to each slot. Measured twice a second; the
median and the most count. /proc's resident set: shared libraries are in it.

    python -m bench.memory --seconds 60
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from bench.backlog import LONG, Market, batches, fill_batches, pace_batches, slots_of, trend_commands, watch_commits
from bench.latency import PORTFOLIOS, send_commands
from bench.process import NODE_READY, Process, kafka, node
from ginkgo_streams.topics import NODE_APP, TICKS

LIMIT_MB = 400


async def loaded(worker: Process, bootstrap: str, slots: list[int], market: Market, seconds: float) -> list[float]:
    """The resident set in MB (2**20) while the updates come."""
    process = psutil.Process(worker.pid)
    found: list[float] = []
    feeding = asyncio.ensure_future(pace_batches(bootstrap, slots, market, seconds))
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        await asyncio.sleep(0.5)
        found.append(process.memory_info().rss / 2**20)
    await feeding
    return found


def measure(codes: int = 5_000, ticks: int = 1_000, seconds: float = 60) -> dict[str, Any]:
    """One node on a broker of its own."""
    with tempfile.TemporaryDirectory() as name, kafka(Path(name)) as broker:
        bootstrap = broker.bootstrap
        worker = node(Path(name), bootstrap)
        try:
            worker.wait_for(NODE_READY)
            empty = psutil.Process(worker.pid).memory_info().rss / 2**20
            commands = trend_commands(PORTFOLIOS)
            slots, market = slots_of(commands), Market(codes, ticks)
            asyncio.run(send_commands(bootstrap, commands))
            worker.wait_for("running: command", PORTFOLIOS)
            sent = asyncio.run(fill_batches(bootstrap, slots, batches(market, (LONG + 2) * codes, min(codes, 1000), 1)))
            asyncio.run(watch_commits(bootstrap, NODE_APP, TICKS, sent * len(slots), worker.pid, 120))
            found = asyncio.run(loaded(worker, bootstrap, slots, market, seconds))
            worker.stop()
        finally:
            worker.kill()
    result = {
        "codes": codes, "portfolios": PORTFOLIOS, "ticks_per_s": ticks, "seconds": seconds, "empty_mb": round(empty), "limit_mb": LIMIT_MB,
        "median_mb": round(statistics.median(found)), "most_mb": round(max(found)), "last_mb": round(found[-1]),
        "ok": max(found) <= LIMIT_MB,
    }  # fmt: skip
    print(f"memory: {result}", file=sys.stderr)
    return result


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--codes", type=int, default=5_000)
    parser.add_argument("--ticks", type=int, default=1_000, help="price updates a second")
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    print(json.dumps(measure(options.codes, options.ticks, options.seconds)))


if __name__ == "__main__":
    main()
