"""The nodes' web views: any node answers for all of them, with whole states only, and leaks nothing of Faust's own."""

from __future__ import annotations

import asyncio
import socket
from typing import Any
from uuid import uuid4

import aiohttp
import psutil
import pytest

from ginkgo_streams import messages as m
from ginkgo_streams.local.ports import free_port
from tests.integration.cluster.harness import Cluster, Process, ginkgo, until
from tests.integration.cluster.web import address, get, get_all

NODES = ("execution_node_001", "execution_node_002")
CODES = ["000001.SZ", "000002.SZ", "600000.SH"]


@pytest.fixture(scope="module")
def portfolios(cluster: Cluster) -> list[str]:
    """Four portfolios that two nodes share: the second node joins when they are there, and is given half of them."""
    cluster.only("livecore_001", NODES[0])
    made = [cluster.create(f"Busy {number}", CODES, busy=number) for number in range(4)]
    for each in made:
        cluster.wait_status(each, "running")
    return made


@pytest.fixture
def nodes(cluster: Cluster, portfolios: list[str]) -> list[Process]:
    """Both nodes, each with two of the portfolios."""
    _, *both = cluster.only("livecore_001", *NODES)

    def shared() -> bool:
        found = [answer.body["node_id"] for answer in get_all(both[:1], paths(portfolios)) if answer.status == 200]
        return sorted(found) == [NODES[0], NODES[0], NODES[1], NODES[1]]

    until(shared, cluster.logs)
    return both


def paths(portfolios: list[str]) -> list[str]:
    return [f"/portfolio/{each}" for each in portfolios]


def money(value: float) -> int:
    return round(value * 10_000)


def assert_whole(state: dict[str, Any]) -> None:
    """The books add up: money that was there, less what was paid, is the money that is there; shares likewise."""
    spent = sum(money(line["bought_amount"]) - money(line["sold_amount"]) for line in state["ledger"])
    fees = sum(money(line["commission"]) + money(line["stamp_duty"]) + money(line["transfer_fee"]) for line in state["ledger"])
    assert money(state["initial_cash"]) - spent - fees == money(state["cash"]) + money(state["frozen"]), state
    held = {line["code"]: line["bought_volume"] - line["sold_volume"] for line in state["ledger"]}
    assert {code: volume for code, volume in held.items() if volume} == {p["code"]: p["volume"] for p in state["positions"]}, state


def test_views_when_any_node_is_asked_while_it_trades_then_each_state_is_whole_and_its_owners(
    cluster: Cluster, portfolios: list[str], nodes: list[Process]
) -> None:
    with cluster.market.trading(pause_s=0.02):
        for _ in range(25):
            for answer in get_all(nodes, paths(portfolios)):
                assert answer.status == 200, answer
                assert_whole(answer.body)
        until(lambda: all(len(cluster.orders(each)) >= 2 for each in portfolios), cluster.logs)
    for each in portfolios:

        def settled(each: str = each) -> bool:
            states = [get(node, f"/portfolio/{each}").body for node in nodes]
            known = cluster.snapshot(each)
            assert known is not None
            found = [m.decode(m.encode(state | {"epoch": known.epoch, "seq": known.seq}), m.Snapshot) for state in states]
            return found == [known, known]

        until(settled, lambda each=each: f"{get(nodes[0], f'/portfolio/{each}').body}\n{cluster.snapshot(each)}")  # type: ignore[misc]


def test_nodes_when_any_node_is_asked_then_it_lists_them_and_passes_a_question_on(
    cluster: Cluster, portfolios: list[str], nodes: list[Process]
) -> None:
    for asked in nodes:
        group = get(asked, "/nodes").body
        assert (group["asked"], [each["node_id"] for each in group["nodes"]]) == (asked.name, list(NODES))
        assert [each["address"] for each in group["nodes"]] == [address(node) for node in nodes]
        assert sorted(slot for each in group["nodes"] for slot in each["slots"]) == list(range(cluster.slots))
        views = [get(asked, f"/nodes/{name}").body for name in NODES]
        assert [view["node_id"] for view in views] == list(NODES)
        assert {view["status"] for view in views} == {"running"}
        for view, member in zip(views, group["nodes"], strict=True):
            assert [slot["slot"] for slot in view["slots"]] == member["slots"]
            assert set(view["standbys"]) == set(range(cluster.slots)) - set(member["slots"])
        lines = {line["portfolio_id"]: line for view in views for slot in view["slots"] for line in slot["portfolios"]}
        assert {each: (line["name"], line["status"]) for each, line in lines.items()} == {
            each: (f"Busy {number}", "running") for number, each in enumerate(portfolios)
        }
        assert sum(view["portfolio_count"] for view in views) == 4


def test_views_when_there_is_no_such_thing_then_404_says_what_there_is(cluster: Cluster, nodes: list[Process]) -> None:
    unknown = str(uuid4())
    for node in nodes:
        answer = get(node, f"/portfolio/{unknown}")
        assert (answer.status, answer.body["error"], answer.body["code"]) == (404, True, "NOT_FOUND")
        assert f"there is no portfolio {unknown}" in answer.body["message"]
    answer = get(nodes[0], "/nodes/nobody")
    assert (answer.status, answer.body["message"]) == (404, f"no node nobody is in the group; there are: {', '.join(NODES)}")
    for reserved in ("%00slot", "%00claim", "%00owned"):  # keys of the engine's own records beside the portfolios
        assert get(nodes[0], f"/portfolio/{reserved}").status == 404


@pytest.mark.parametrize(
    "path", ["/", "/table/", "/table/portfolios/", "/router/", "/router/portfolios/", "/graph", "/stats/", "/performance/"]
)
def test_faust_s_own_pages_when_asked_for_then_404(nodes: list[Process], path: str) -> None:
    answer = get(nodes[0], path)
    assert (answer.status, answer.body["message"]) == (
        404, f"there is no page {path}; there are: /nodes, /nodes/NODE_ID, /portfolio/PORTFOLIO_ID",
    )  # fmt: skip


def test_views_when_written_to_then_405(nodes: list[Process], portfolios: list[str]) -> None:
    async def post(path: str) -> int:
        async with aiohttp.ClientSession() as session, session.post(f"http://{address(nodes[0])}{path}", json={}) as response:
            return response.status

    assert [asyncio.run(post(path)) for path in ("/nodes", *paths(portfolios)[:1], "/table/portfolios/")] == [405, 405, 405]


def test_views_when_nothing_else_is_said_then_only_this_machine_reaches_them(nodes: list[Process]) -> None:
    for node in nodes:
        child = psutil.Process(node.child.pid)
        listening = [c.laddr.ip for c in child.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
        assert listening == ["127.0.0.1"]


def test_views_when_another_node_was_meant_then_421(nodes: list[Process]) -> None:
    answer = get(nodes[0], "/nodes", X_Ginkgo_Node="execution_node_002")
    assert (answer.status, answer.body["message"]) == (421, "this is execution_node_001, not execution_node_002")


def test_views_when_the_owner_is_killed_then_nobody_answers_for_it_until_another_node_has_it(
    cluster: Cluster, portfolios: list[str], nodes: list[Process]
) -> None:
    kept, killed = nodes
    moved = [each for each in portfolios if get(kept, f"/portfolio/{each}").body["node_id"] == killed.name]
    before = {each: get(kept, f"/portfolio/{each}").body for each in moved}
    killed.kill()

    def answered() -> bool:
        answers = get_all([kept], paths(moved))
        for each in answers:
            assert (each.status, each.body["node_id"]) == (200, kept.name) if each.status == 200 else each.status == 503, each
            assert each.status == 200 or each.headers["Retry-After"] == "1", each
        return all(each.status == 200 for each in answers)

    until(answered, cluster.logs)
    after = {each: get(kept, f"/portfolio/{each}").body for each in moved}
    for each in moved:
        assert after[each]["epoch"] >= before[each]["epoch"]
        assert_whole(after[each])
    until(lambda: [each["node_id"] for each in get(kept, "/nodes").body["nodes"]] == [kept.name], cluster.logs)


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("GINKGO_WEB__ENABLED", "false", "whose web views are off (web.enabled)"),
        ("GINKGO_WEB__ADVERTISE", "127.0.0.2", "which does not answer at 127.0.0.2:"),
    ],
    ids=["off", "unreachable"],
)
def test_views_when_the_owner_cannot_be_asked_then_503_says_who_it_is_and_why(
    cluster: Cluster, portfolios: list[str], setting: str, value: str, said: str
) -> None:
    _, one = cluster.only("livecore_001", "execution_node_001")
    command = ginkgo("worker", "start", "--type", "execution_node", "--node-id", "execution_node_002")
    two = cluster.start("execution_node_002", *command, **{setting: value})
    two.wait_for("ExecutionNode ready, processing events...")

    def refused() -> list[Any]:
        answers = get_all([one], paths(portfolios))
        return [each.body for each in answers if each.status == 503 and said in each.body["message"]]

    until(lambda: len(refused()) == 2, cluster.logs)
    assert all(f"is on execution_node_002, {said}" in each["message"] for each in refused())
    assert {each["details"]["node_id"] for each in refused()} == {"execution_node_002"}
    assert get(one, "/nodes/execution_node_002").status == 503
    assert two.stop() == 0


def test_s7_7_port_when_taken_then_a_port_asked_for_ends_the_start_with_a_clear_error_and_the_usual_one_gives_way(cluster: Cluster) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        node = cluster.node("execution_node_003", "--web-port", str(port), ready=False)
        assert node.wait_end() == 1, node.text()
        last = node.lines()[-1]
        assert last.startswith(f"[ERROR] port {port} for the web views (web.port) is taken by ")
        assert f"(pid {psutil.Process().pid}); stop that process or choose another port" in last
        assert "Traceback" not in node.text()
    free = free_port()
    node = cluster.node("execution_node_003", "--web-port", str(free))
    assert address(node) == f"127.0.0.1:{free}"
    assert node.stop() == 0
