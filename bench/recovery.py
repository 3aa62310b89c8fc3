"""How long a node takes to have its state again, against the size of the state.

Ten portfolios on 100, 1,000 and 5,000 codes with full windows. The node is ended and started again at once, three times:
killed with its disk lost (what another machine would do); killed, its disk there (a copy that was not given back is not trusted);
stopped cleanly, its disk there. Each time: from the claim of its slots to "slots loaded", which is recovery itself, and from the start of
the process to "ExecutionNode ready". After a kill the latter includes the wait for Kafka to give the dead member up.

With --load-seconds: before it ends the node runs under 1,000 updates a second for so long. The changelog keeps all that was written in the
last ten minutes (see engine/topics.py), so it is this, not the state, that a lost disk costs.

    python -m bench.recovery --codes 5000 --load-seconds 30
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.backlog import LONG, Market, batches, fill_batches, pace_batches, slots_of, trend_commands, watch_commits
from bench.latency import PORTFOLIOS, send_commands
from bench.process import NODE_READY, TIMEOUT_S, Process, kafka, node
from ginkgo_streams.local.kafka import Broker
from ginkgo_streams.topics import NODE_APP, TICKS, changelog

LOAD_TICKS_PER_S = 1_000


def changelog_bytes(broker: Broker) -> int:
    """Bytes of the node's two changelogs."""
    names = tuple(changelog(NODE_APP, table) for table in ("portfolios", "windows"))
    folders = [folder for folder in (broker.folder / "data").iterdir() if folder.name.startswith(names)]
    return sum(file.stat().st_size for folder in folders for file in folder.glob("*.log"))


def disk_of(folder: Path) -> list[Path]:
    """The folders of the node's local copies."""
    return [path for path in folder.rglob(NODE_APP) if path.is_dir()]


def restarted(folder: Path, bootstrap: str) -> tuple[Process, dict[str, float]]:
    """A node started again, and how long that took."""
    worker = node(folder, bootstrap)
    ready = worker.wait_for(NODE_READY) - worker.started
    found = [line for _, line in worker.lines if line.startswith("[INFO] Found ")][-1:]
    if found != [f"[INFO] Found {PORTFOLIOS} Portfolios to load"]:
        raise RuntimeError(f"the node says {found} after its restart, not {PORTFOLIOS} portfolios: its state is not what it was")
    loaded, claimed = worker.seen("slots loaded")[-1], worker.seen("claimed")[-1]
    return worker, {"recovery_s": round(loaded - claimed, 2), "start_to_ready_s": round(ready, 2)}


def run(folder: Path, broker: Broker, codes: int, load_s: float) -> dict[str, Any]:
    """All three restarts with the windows of so many codes."""
    bootstrap = broker.bootstrap
    commands = trend_commands(PORTFOLIOS)
    slots = slots_of(commands)
    market = Market(codes, LOAD_TICKS_PER_S)
    worker = node(folder, bootstrap)
    worker.wait_for(NODE_READY)
    asyncio.run(send_commands(bootstrap, commands))
    worker.wait_for("running: command", PORTFOLIOS)
    sent = asyncio.run(fill_batches(bootstrap, slots, batches(market, (LONG + 2) * codes, min(codes, 1000), 1)))
    sent += asyncio.run(pace_batches(bootstrap, slots, market, load_s))
    asyncio.run(watch_commits(bootstrap, NODE_APP, TICKS, sent * len(slots), worker.pid, TIMEOUT_S))
    result: dict[str, Any] = {"codes": codes, "load_s": load_s}
    worker.kill()
    for path in disk_of(folder):
        shutil.rmtree(path)
    result["changelog_mb"] = round(changelog_bytes(broker) / 1e6, 1)
    worker, result["disk_lost"] = restarted(folder, bootstrap)
    worker.kill()
    worker, result["killed"] = restarted(folder, bootstrap)
    worker.stop()
    worker, result["stopped"] = restarted(folder, bootstrap)
    worker.stop()
    if not disk_of(folder):
        raise RuntimeError(f"the node has no copies under {folder}: none of this was measured as it says")
    return result


def measure(codes: int, load_s: float) -> dict[str, Any]:
    """One size on a broker of its own."""
    with tempfile.TemporaryDirectory() as name, kafka(Path(name)) as broker:
        result = run(Path(name), broker, codes, load_s)
    print(f"recovery: {result}", file=sys.stderr)
    return result


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--codes", type=int, nargs="+", default=[100, 1000, 5000])
    parser.add_argument("--load-seconds", type=float, default=0)
    options = parser.parse_args()
    print(json.dumps([measure(codes, options.load_seconds) for codes in options.codes]))


if __name__ == "__main__":
    main()
