"""The counters are exact, whatever dies: the engine on a real Kafka."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ginkgo_streams.local.kafka import Broker
from tests.servers.toxiproxy import ProxiedKafka

from . import toy
from .cluster import ToyCluster, ToyNode, until


@pytest.fixture
def toys(fresh_kafka: Broker, tmp_path: Path) -> Iterator[ToyCluster]:
    made = ToyCluster(fresh_kafka.bootstrap, tmp_path)
    yield made
    made.close()


def test_counters_one_node_counts_duplicates_once_and_puts_garbage_aside(toys: ToyCluster) -> None:
    node = toys.node("n1")
    node.wait_for("OWNS", 4)
    toys.feed(200, repeat=True, garbage=True)
    toys.settle()
    assert node.stop() == 0
    toys.audit()
    assert len(toys.records("toy.dead")) == 4


def test_counters_recovered_and_nothing_arrives_then_the_last_outputs_are_given_again_at_once(toys: ToyCluster) -> None:
    """Unanswered orders wait for neither a tick nor a checkpoint."""
    first = toys.node("n1")
    toys.feed(50)
    toys.settle()
    assert first.stop() == 0  # all inputs are done: none is read again
    second = toys.node("n2", TOY_UNHURRIED="1")

    def given_again() -> bool:
        outputs = [json.loads(record.value) for record in toys.records(toy.OUTPUT)]
        newest = max(output["epoch"] for output in outputs)
        again = {output["counter"] for output in outputs if output["epoch"] == newest and "counter" in output}
        return newest > 1 and again == set(toys.expected)

    until(given_again, 60, second.text)
    assert second.stop() == 0
    toys.audit()


POINTS = [
    "before_claim", "half_claim", "after_claim", "before_load", "after_apply:3", "before_changelog:20", "before_ack:4", "after_ack:4",
    "after_rocksdb:4", "after_publish:4", "checkpoint_sent", "before_done",
]  # fmt: skip


def test_counters_killed_between_any_two_steps_of_the_commit_are_exact(toys: ToyCluster) -> None:
    toys.feed(50)
    for turn, fault in enumerate(POINTS):
        # Three names, so that a node comes back with a disk of its own that others have overtaken.
        node = toys.node(f"n{turn % 3}-{turn}", fault) if turn % 3 == 2 else toys.node(f"n{turn % 3}", fault)
        toys.feed(60, repeat=turn % 2 == 0)
        assert node.wait_dead() == -9, fault
    last = toys.node("n0")
    toys.settle()
    assert last.stop() == 0
    toys.audit()


def test_counters_nodes_joining_and_leaving_in_mid_commit_are_exact(toys: ToyCluster) -> None:
    first = toys.node("n1")
    first.wait_for("OWNS", 4)
    with toys.feeding():
        second = toys.node("n2")
        second.wait_for("OWNS", 2)
        assert first.stop() == 0
        second.wait_for("OWNS", 6)
        third = toys.node("n3")
        third.wait_for("OWNS", 2)
        second.kill()
        third.wait_for("OWNS", 6)
    toys.settle()
    toys.audit()


def test_counters_node_stopped_beyond_its_session_wakes_up_and_counts_no_more(toys: ToyCluster) -> None:
    first, second = toys.node("n1"), toys.node("n2")
    first.wait_for("OWNS", 2)
    second.wait_for("OWNS", 2)
    with toys.feeding():
        out_and_back(first, second)
    toys.settle()
    toys.audit()


def out_and_back(first: ToyNode, second: ToyNode) -> None:
    """The first of two is stopped beyond its session, the other has all slots; then it wakes up, and both have their half."""
    firsts, seconds = first.text().count("OWNS"), second.text().count("OWNS")
    first.pause()
    second.wait_for("OWNS", seconds + 4)
    first.resume()
    first.wait_for("OWNS", firsts + 2)
    second.wait_for("OWNS", seconds + 6)


def test_counters_node_thrown_out_gets_the_same_slots_back(toys: ToyCluster) -> None:
    node = toys.node("n1")
    node.wait_for("OWNS", 4)
    with toys.feeding():
        node.pause()
        # Its session ends (3 s) while it sleeps: the group is empty, and nobody else takes the slots.
        toys.wait_group_empty()
        node.resume()
        node.wait_for("OWNS", 8)
    toys.settle()
    toys.audit()


def test_counters_rebalance_between_recovery_and_load_keeps_what_was_recovered(toys: ToyCluster) -> None:
    """The copies hold what the changelogs hold, and nothing else: nobody has written to them yet."""
    first = toys.node("n1")
    first.wait_for("OWNS", 4)
    toys.feed(200)
    toys.settle()
    assert first.stop() == 0
    second = toys.node("n2", TOY_REJOIN="1")
    second.wait_for("OWNS", 4)
    assert "thrown away" not in second.text()
    toys.feed(50)
    toys.settle()
    toys.audit()


@pytest.mark.parametrize("copies", ["true", "owned"])
def test_counters_rebalance_in_mid_recovery_then_nothing_that_was_on_its_way_counts_as_read(toys: ToyCluster, copies: str) -> None:
    """Records of the assignment before wait in Faust's queue. owned: the copies that they are for are thrown away meanwhile."""
    first = toys.node("n1")
    first.wait_for("OWNS", 4)
    toys.feed(3_000, counters=3_000)
    toys.settle()
    assert first.stop() == 0
    second = toys.node("n2", TOY_REJOIN_EARLY=copies)
    second.wait_for("OWNS", 4)
    assert "REJOINS" in second.text()
    assert ("thrown away" in second.text()) is (copies == "owned")
    toys.feed(3_000, counters=3_000)  # a total that was lost would begin again
    toys.settle()
    assert second.stop() == 0
    toys.audit()


def test_counters_recovery_soon_after_another_reads_its_own_changelogs_whole(toys: ToyCluster) -> None:
    """What Faust sets when a recovery has ended is still set when the next one waits for it."""
    first = toys.node("n1", TOY_STANDBYS="0")
    first.wait_for("OWNS", 4)
    toys.feed(3_000, counters=3_000)
    toys.settle()
    second = toys.node("n2", TOY_STANDBYS="0")
    second.wait_for("OWNS", 2)
    assert first.stop() == 0  # within the 5 s after which Faust forgets it: no copy of these two slots is here
    second.wait_for("OWNS", 2 + 4)
    toys.feed(3_000, counters=3_000)  # a total that was not read would begin again
    toys.settle()
    assert second.stop() == 0
    toys.audit()


def test_counters_owner_to_whom_nothing_came_then_keeps_its_copies_when_another_comes_back(toys: ToyCluster) -> None:
    """It asks for the group's consent to the end of its ownership by a commit, and has nothing new to commit."""
    first, second = toys.node("n1"), toys.node("n2")
    first.wait_for("OWNS")
    second.wait_for("OWNS")
    toys.feed(50)
    toys.settle()
    out_and_back(first, second)
    assert "thrown away" not in second.text()
    toys.settle()
    toys.audit()


def test_counters_slots_given_back_and_got_again_at_once_are_not_read_and_exact(toys: ToyCluster) -> None:
    first = toys.node("n1")
    first.wait_for("OWNS", 4)
    with toys.feeding():
        toys.settle_some()
        second = toys.node("n2")
        second.wait_for("OWNS", 2)
    first.wait_for("as they were given back")
    toys.settle()
    assert second.stop() == 0
    toys.feed(100)
    toys.settle()
    assert first.stop() == 0
    toys.audit()


@pytest.mark.parametrize("committed", [True, False])
def test_counters_slot_that_another_wrote_to_meanwhile_is_read_again(toys: ToyCluster, committed: bool) -> None:
    """Its former owner still has it in memory when it comes back: as it was. The offsets tell, or the changelog alone: what is read again
    from the committed offsets may come out in another order, and so otherwise than what the other one has published."""
    first = toys.node("n1", TOY_ALL_OR_NOTHING="1")
    first.wait_for("OWNS", 4)
    toys.feed(200)
    toys.settle()
    second = toys.node("n2", TOY_UNHURRIED="1")
    second.wait_for("OWNS", 2)
    first.wait_for("ABSTAINS")
    before = toys.totals()
    toys.feed(200)
    until(lambda: toys.totals() != before, 40, second.text)
    if committed:
        assert second.stop() == 0
    else:
        second.kill()
    toys.settle()
    first.wait_for("as they were given back")  # those that nobody had meanwhile
    assert "4 slots loaded, 4 of them" not in first.text()
    assert first.stop() == 0
    toys.audit()


def test_s9_2_counters_broker_killed_and_restarted_are_exact(toys: ToyCluster, fresh_kafka: Broker) -> None:
    node = toys.node("n1")
    node.wait_for("OWNS", 4)
    with toys.feeding():
        toys.settle_some()
    fresh_kafka.kill()
    fresh_kafka.start()
    toys.feed(100)
    toys.settle(timeout=90)
    assert node.process.poll() is None, "a broker's restart is no reason to end"
    toys.audit()


def test_counters_a_bug_ends_the_process_before_the_ack_and_the_mended_one_counts_the_message(toys: ToyCluster) -> None:
    node = toys.node("n1")
    node.wait_for("OWNS", 4)
    toys.feed(40)
    toys.poison()
    toys.feed(40)
    assert node.wait_dead() == 70
    assert "a bug in the reducer" in node.text()
    again = toys.node("n1")
    assert again.wait_dead() == 70, "not acknowledged, so it comes again"
    mended = toys.node("n1", TOY_FIXED="1")
    toys.settle()
    assert mended.stop() == 0
    toys.audit()


def test_s7_4_counters_reducer_that_never_returns_ends_the_process_with_its_stack(toys: ToyCluster) -> None:
    node = toys.node("n1")
    node.wait_for("OWNS", 4)
    toys.feed(40)
    toys.poison("endless")
    assert node.wait_dead() == 70
    assert "the event loop has stood still" in node.text()
    assert "in never_returns" in node.text()
    mended = toys.node("n1", TOY_FIXED="1")
    toys.settle()
    assert mended.stop() == 0
    toys.audit()


def test_s7_6_counters_more_than_there_is_room_for_waits_in_kafka_and_is_counted(toys: ToyCluster) -> None:
    toys.feed(1_000)
    node = toys.node("n1", TOY_NARROW="8")
    toys.settle()
    assert node.stop() == 0
    assert "MOST 8\n" in node.text()
    toys.audit()


def test_counters_consumer_that_stops_fetching_before_it_saw_anything_ends_the_process(toys: ToyCluster) -> None:
    toys.feed(40)
    deaf = toys.node("n1", TOY_DEAF="1")
    assert deaf.wait_dead() == 70
    assert "no progress" in deaf.text()
    toys.node("n1")
    toys.settle()
    toys.audit()


def test_counters_black_hole_that_delivers_late_counts_nothing_of_it(proxied_kafka: ProxiedKafka, tmp_path: Path) -> None:
    toys = ToyCluster(proxied_kafka.broker.bootstrap, tmp_path)
    try:
        first, second = toys.node("n1", bootstrap=proxied_kafka.proxy.address), toys.node("n2")
        first.wait_for("OWNS", 2)
        second.wait_for("OWNS", 2)
        with toys.feeding():
            toys.settle_some()
            seen = second.text().count("OWNS")
            proxied_kafka.proxy.black_hole()
            second.wait_for("OWNS", seen + 4)
            seen = first.text().count("OWNS")
            proxied_kafka.proxy.heal()
            first.wait_for("OWNS", seen + 2, timeout=90)
        toys.settle()
        toys.audit()
    finally:
        toys.close()
