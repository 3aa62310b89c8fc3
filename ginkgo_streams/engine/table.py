"""A Faust table whose changelog is applied by (epoch, seq), so that a fenced owner's late records do not count."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import faust
import msgspec

from ginkgo_streams.engine.envelope import CLAIM, RESERVED, LaterVersion, unseal
from ginkgo_streams.engine.fatal import die
from ginkgo_streams.engine.internals import LocalCopy

if TYPE_CHECKING:
    from ginkgo_streams.engine.runner import Runner

log = logging.getLogger("ginkgo.engine")

SMALL_ROCKSDB = {
    "write_buffer_size": 4 << 20,
    "max_write_buffer_number": 2,
    "block_cache_size": 8 << 20,
    "max_open_files": 64,
    "driver": "rocksdict",
}
"""Faust's defaults take up to 2 GiB a partition; a slot's values are a few MB."""


def accept(copy: LocalCopy, records: Iterable[tuple[bytes, bytes | None]]) -> tuple[dict[bytes, bytes], set[bytes], int]:
    """What of a piece of changelog counts, on top of what the copy has: values to put, keys to delete, records refused.

    A record counts if its epoch is not below the newest claim in front of it, and it is not older by (epoch, seq)
    than what is known of its key. A claim below an earlier claim comes from an owner that woke up late: refused too.
    """
    puts: dict[bytes, bytes] = {}
    deletes: set[bytes] = set()
    order: dict[bytes, tuple[int, int]] = {}
    refused = 0

    def known(key: bytes) -> tuple[int, int]:
        if key not in order:
            stored = copy.get(key)
            envelope = None if stored is None else unseal(stored)
            order[key] = (-1, -1) if envelope is None else (envelope.epoch, envelope.seq)
        return order[key]

    claimed = known(CLAIM)[0]
    for key, value in records:
        if value is None:
            puts.pop(key, None)
            deletes.add(key)
            order[key] = (-1, -1)
            continue
        envelope = unseal(value)
        if envelope.epoch < claimed or (envelope.epoch, envelope.seq) < known(key):
            refused += 1
            continue
        if key == CLAIM:
            claimed = envelope.epoch
        puts[key] = value
        deletes.discard(key)
        order[key] = (envelope.epoch, envelope.seq)
    return puts, deletes, refused


class FencedTable(faust.Table):  # type: ignore[misc]
    """Raw keys and values; written by a Runner only."""

    runner: Runner | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """revisions: how often something else than its owner's writes has changed the copy of a partition, claims aside."""
        super().__init__(*args, **kwargs)
        self.revisions: Counter[int] = Counter()

    async def on_rebalance(self, assigned: Any, revoked: Any, newly_assigned: Any, generation_id: int = 0) -> None:
        """Open what came, then claim it: Faust reads the changelog only after this."""
        await super().on_rebalance(assigned, revoked, newly_assigned, generation_id)
        if self.runner is not None:
            await self.runner.on_table_assigned(self)

    def apply_changelog(self, partition: int, records: Sequence[Any]) -> None:
        """Recovery and standby: fold records into the local copy of a partition."""
        copy = LocalCopy(self, partition)
        try:
            puts, deletes, refused = accept(copy, ((record.key, record.value) for record in records))
            copy.write(puts.items(), deletes, offset=records[-1].offset)
            if deletes or puts.keys() - {CLAIM}:
                self.revisions[partition] += 1
        except (LaterVersion, msgspec.DecodeError) as error:
            die(f"{self.name}-{partition}: its changelog cannot be read: {error}", error)
        except Exception as error:
            die(f"{self.name}-{partition}: its changelog cannot be copied: {error}", error)
        if refused:
            log.warning("Refused %d changelog records of a fenced owner in %s-%d", refused, self.name, partition)

    def throw_away(self, partition: int) -> None:
        """Empty the local copy of a partition; the next recovery reads the whole changelog."""
        LocalCopy(self, partition).wipe()
        self.revisions[partition] += 1

    def apply_changelog_batch(self, batch: Any) -> None:
        """Never: Faust's own way would write what a fenced owner wrote."""
        die(f"{self.name}: a piece of changelog came through Faust's queue")

    def live_items(self, partition: int) -> Iterable[tuple[bytes, bytes]]:
        """The application's values of a partition (ours, with their envelope)."""
        return ((key, value) for key, value in LocalCopy(self, partition).items() if not key.startswith(RESERVED))
