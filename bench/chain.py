"""The bare chain's two processes: `router` forwards and awaits the acknowledgement; `node` makes a record of about 1 kB durable and
then sends an order for one step in so many. No state, no work: what the brokers' hops alone cost."""

from __future__ import annotations

import asyncio
import json
import sys

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

IN, MID, STATE, OUT = "bench.chain.in", "bench.chain.mid", "bench.chain.state", "bench.chain.out"


async def main(hop: str, bootstrap: str, every: int) -> None:
    """Run one hop for ever."""
    source = IN if hop == "router" else MID
    consumer = AIOKafkaConsumer(
        source, bootstrap_servers=bootstrap, group_id=f"bench.chain.{hop}", auto_offset_reset="latest", fetch_max_wait_ms=20
    )
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    await consumer.start()
    await producer.start()
    while not consumer.assignment():
        await asyncio.sleep(0.05)
    for partition in consumer.assignment():
        await consumer.position(partition)
    print("ready", flush=True)
    seen = 0
    while True:
        batch = await consumer.getmany(timeout_ms=1000)
        acks = []
        for records in batch.values():
            for record in records:
                if hop == "router":
                    acks.append(await producer.send(MID, record.value, record.key, record.partition))
                    continue
                updates = json.loads(record.value)
                before, seen = seen // every, seen + len(updates)
                if seen // every > before:
                    acks.append(asyncio.ensure_future(order(producer, record.partition, updates[0]["timestamp"])))
        if acks:
            await asyncio.gather(*acks)


async def order(producer: AIOKafkaProducer, partition: int, stamp: str) -> None:
    """Durable, then visible."""
    await producer.send_and_wait(STATE, b"x" * 1000, b"state", partition)
    await producer.send_and_wait(OUT, json.dumps({"timestamp": stamp, "filler": "x" * 300}).encode(), b"order", partition)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
