"""What the tests rely on in toxiproxy: a cut refuses, a black hole holds bytes and delivers them late."""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Iterator

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from ginkgo_streams.local import ports
from ginkgo_streams.local.process import wait_for
from tests.integration.local.test_kafka import values
from tests.servers.toxiproxy import ProxiedKafka, Toxiproxy


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket() as server:
        server.bind((ports.HOST, 0))
        server.listen()
        server.settimeout(10)
        yield server


def test_black_hole_when_lifted_then_bytes_arrive_late_in_both_directions(toxiproxy: Toxiproxy, listener: socket.socket) -> None:
    proxy = toxiproxy.proxy("echo", listener.getsockname()[1])
    with socket.create_connection((ports.HOST, proxy.port)) as client, listener.accept()[0] as server:
        client.sendall(b"before")
        assert server.recv(100) == b"before"
        proxy.black_hole()
        client.sendall(b"late one,")
        server.sendall(b"late answer")
        client.sendall(b"late two")
        assert select.select([server, client], [], [], 0.5)[0] == []
        proxy.heal()
        assert _receive(server, 17) == b"late one,late two"
        assert _receive(client, 11) == b"late answer"


def test_black_hole_when_the_client_has_closed_then_its_bytes_arrive_all_the_same(toxiproxy: Toxiproxy, listener: socket.socket) -> None:
    proxy = toxiproxy.proxy("echo", listener.getsockname()[1])
    client = socket.create_connection((ports.HOST, proxy.port))
    with listener.accept()[0] as server:
        proxy.black_hole()
        client.sendall(b"last words")
        client.close()
        assert select.select([server], [], [], 0.5)[0] == []
        proxy.heal()
        assert _receive(server, 10) == b"last words"


def test_cut_when_made_then_connections_end_and_new_ones_are_refused_until_healed(toxiproxy: Toxiproxy, listener: socket.socket) -> None:
    proxy = toxiproxy.proxy("echo", listener.getsockname()[1])
    with socket.create_connection((ports.HOST, proxy.port)) as client, listener.accept()[0]:
        proxy.cut()
        client.settimeout(10)
        assert client.recv(1) == b""
        assert not ports.answers(ports.HOST, proxy.port)
    proxy.heal()
    assert wait_for(lambda: ports.answers(ports.HOST, proxy.port), 5)


def test_producer_behind_a_black_hole_when_lifted_then_its_record_lands_after_those_sent_meanwhile(proxied_kafka: ProxiedKafka) -> None:
    async def run() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=proxied_kafka.broker.bootstrap)
        await admin.start()
        await admin.create_topics([NewTopic("t", 1, 1)])
        await admin.close()
        async with (
            AIOKafkaProducer(bootstrap_servers=proxied_kafka.proxy.address, acks="all") as cut_off,
            AIOKafkaProducer(bootstrap_servers=proxied_kafka.broker.bootstrap, acks="all") as direct,
        ):
            await cut_off.send_and_wait("t", b"first", partition=0)
            proxied_kafka.proxy.black_hole()
            late = await cut_off.send("t", b"late", partition=0)
            await asyncio.sleep(0)
            await direct.send_and_wait("t", b"meanwhile", partition=0)
            assert not late.done()
            proxied_kafka.proxy.heal()
            assert (await asyncio.wait_for(late, 20)).offset == 2

    asyncio.run(run())
    assert values(proxied_kafka.broker.bootstrap, "t", 3) == [b"first", b"meanwhile", b"late"]


def _receive(sock: socket.socket, count: int) -> bytes:
    sock.settimeout(10)
    data = b""
    while len(data) < count and (piece := sock.recv(count - len(data))):
        data += piece
    return data
