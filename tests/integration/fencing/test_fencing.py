"""A process that lost its slots while it held changelog records and orders or reports: nothing of it counts, anywhere, and it rejoins.

Design 4.5. The session time-out is 3 s; `make chaos` stops processes for longer and at random.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ginkgo_streams.local import ports
from ginkgo_streams.local.kafka import Broker, Listener
from tests.integration.cluster.harness import until
from tests.servers.toxiproxy import ProxiedKafka, Toxiproxy

from .world import World

READY = {"node": "ExecutionNode ready, processing events...", "livecore": "LiveCore ready"}
PORTFOLIOS_LOG, EXCHANGE_LOG = "execution_node_group-portfolios-changelog", "livecore_group-exchange-changelog"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("fencing")
    server = Toxiproxy(folder / "toxiproxy.log")
    inner, outer = ports.free_port(), ports.free_port()
    broker = Broker(folder / "kafka", extra_listeners={"PROXIED": Listener(inner, outer)})
    broker.start()
    made = World(ProxiedKafka(broker, server.proxy("kafka", inner, outer)), folder)
    try:
        made.cluster.livecore("livecore_good")
        made.cluster.node("node_good")
        made.create()
        yield made
    finally:
        made.close()
        broker.stop()
        server.stop()


# Stopped with changelog records in its hands, or with orders (reports) whose records are acknowledged.
@pytest.mark.parametrize(("point", "how"), [("before_changelog", "stop"), ("before_publish", "hole")])
def test_s3_4_s5_9_s9_10_node_that_lost_its_slots_with_orders_in_its_hands_is_not_believed(world: World, point: str, how: str) -> None:
    fenced, refused = world.fenced(), world.refused(PORTFOLIOS_LOG)
    command = ("worker", "start", "--type", "execution_node")
    suspect = world.suspect("node_suspect", *command, point=f"{point}.portfolios", ready=READY["node"])
    until(lambda: suspect.name in map(world.cluster.owner, world.ids), lambda: f"it has portfolios:\n{suspect.text()[-3000:]}")
    world.loses(suspect, how, lambda: world.cluster.wait_owned(world.ids, ["node_good"]), "portfolios: claimed")
    _held(world, point, fenced, refused, PORTFOLIOS_LOG)
    suspect.kill()


@pytest.mark.parametrize(("point", "how"), [("before_changelog", "hole"), ("before_publish", "stop")])
def test_s9_10_livecore_that_lost_its_partitions_with_reports_in_its_hands_is_not_believed(world: World, point: str, how: str) -> None:
    fenced, refused = world.fenced(), world.refused(EXCHANGE_LOG)
    good = next(p for p in world.cluster.processes if p.name == "livecore_good")
    suspect = world.suspect(
        "livecore_suspect", "livecore", "start", "--data-source", "none", point=f"{point}.exchange", ready=READY["livecore"]
    )
    whole = good.text().count("exchange: claimed 2 slots")
    world.loses(suspect, how, lambda: good.wait_for("exchange: claimed 2 slots", whole + 1), "exchange: claimed")
    _held(world, point, fenced, refused, EXCHANGE_LOG)
    suspect.kill()


def _held(world: World, point: str, fenced: int, refused: int, changelog: str) -> None:
    """The books agree, and what the suspect held is in the topics, behind the claims of the new owner, where nobody believes it."""
    now = world.fenced()
    if point == "before_publish":
        assert now > fenced
    else:
        assert world.refused(changelog) > refused


def test_recovery_from_empty_disks_gives_the_same_books(world: World) -> None:
    """Last: with all that was refused in the topics."""
    world.cluster.audit()
    before = world.books()
    assert all(holdings[3] > 0 for holdings in before.values()), "each portfolio has traded"
    world.cluster.only()
    world.empty_disks()
    world.cluster.livecore("livecore_new")
    world.cluster.node("node_new")
    world.cluster.wait_owned(world.ids, ["node_new"])
    world.cluster.audit()
    assert world.books() == before
