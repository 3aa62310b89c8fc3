"""The log of the command line's processes: "[INFO] text" on standard error, as the quickstart shows it."""

from __future__ import annotations

import logging


def configure(level: int) -> None:
    """Everything from `level` up. Faust's and aiokafka's own words only from warning up: each says on every attempt what we say once."""
    logging.basicConfig(level=level, format="[%(levelname)s] %(message)s", force=True)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    for name in ("faust", "mode", "alembic", "asyncio"):
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
