"""The auditor on books written with the real messages: agreeing ones, and each way to spoil them."""

from __future__ import annotations

import msgspec
import pytest

from ginkgo_streams import messages as m
from ginkgo_streams.audit.check import audit
from ginkgo_streams.audit.report import AuditReport
from tests.unit.audit.books import (
    EPOCH,
    P1,
    P2,
    PING_AN,
    SLOT,
    SOURCE,
    TIME,
    VANKE,
    Topics,
    ack,
    agreeing,
    fill,
    order,
    snapshot,
)

SECOND_FILL = 3
"""Where the second fill of order b1 stands in the feedback: 600 shares, 6,300 CNY."""


def kinds(report: AuditReport) -> set[tuple[str, str, str, float]]:
    return {(each.portfolio_id, each.code, each.kind, each.amount) for each in report.differences}


def second_fill(topics: Topics) -> m.OrderFilled:
    message = topics.feedback[SECOND_FILL]
    assert isinstance(message, m.OrderFilled)
    return message


def test_books_that_agree_when_audited_then_ok_with_all_counts() -> None:
    report = audit(agreeing().given())
    assert report == AuditReport(
        ok=True, orders=4, fills=4, portfolios=2, pending=0, open=1, duplicates=0, fenced=0, unreadable=0, differences=[]
    )


def test_fill_record_when_removed_then_portfolio_code_and_amount_are_named() -> None:
    topics = agreeing()
    del topics.feedback[SECOND_FILL]
    report = audit(topics.given())
    assert not report.ok
    assert {
        (P1, PING_AN, "bought_volume", 600), (P1, PING_AN, "bought_amount", 6_300), (P1, PING_AN, "transfer_fee", 0.063),
        (P1, PING_AN, "position", 600), (P1, "", "cash", -6_300.063), (P1, "", "fills", 1),
    } <= kinds(report)  # fmt: skip
    (line,) = [each.text for each in report.differences if each.kind == "bought_amount"]
    assert line == (f"portfolio {P1} 000001.SZ: bought amount: expected 4,200.0000, found 10,500.0000, difference +6,300.0000 CNY")
    assert not any(each.portfolio_id == P2 for each in report.differences)


def test_fill_record_in_the_middle_when_removed_then_the_gap_in_its_reports_is_named_too() -> None:
    topics = agreeing()
    del topics.feedback[SECOND_FILL - 1]
    found = kinds(audit(topics.given()))
    assert (P1, PING_AN, "report_missing", -1) in found
    assert (P1, PING_AN, "cumulative", 400) in found


def test_fill_record_when_doubled_under_another_trade_id_then_portfolio_code_and_amount_are_named() -> None:
    topics = agreeing()
    topics.feedback.append(msgspec.structs.replace(second_fill(topics), trade_id="another"))
    found = kinds(audit(topics.given()))
    assert {
        (P1, PING_AN, "bought_amount", -6_300), (P1, PING_AN, "bought_volume", -600), (P1, PING_AN, "overfilled", 600),
        (P1, PING_AN, "report_changed", 0), (P1, "", "fills", -1),
    } <= found  # fmt: skip


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"filled_amount": 6_300.0001}, {("bought_amount", -0.0001), ("fill_amount", 0.0001)}),
        ({"commission": 0.01}, {("commission", -0.01)}),
        ({"stamp_duty": 0.0001}, {("stamp_duty", -0.0001)}),
        ({"transfer_fee": 0.0631}, {("transfer_fee", -0.0001)}),
        ({"filled_volume": 599}, {("bought_volume", 1), ("cumulative", 1), ("fill_amount", 10.5), ("position", 1)}),
        ({"filled_price": 10.51}, {("beyond_limit", 0.01), ("fill_amount", -6)}),
        ({"remaining_volume": 1}, {("remaining", 1), ("fill_kind", 1)}),
        ({"direction": -1}, {("wrong_order", 6_300), ("bought_volume", 600), ("sold_volume", -600), ("position", 1_200)}),
        ({"code": VANKE}, {("wrong_order", 6_300), ("bought_volume", 600)}),
    ],
)
def test_fill_record_when_altered_then_portfolio_code_and_amount_are_named(
    change: dict[str, object], expected: set[tuple[str, float]]
) -> None:
    topics = agreeing()
    topics.feedback[SECOND_FILL] = msgspec.structs.replace(second_fill(topics), **change)
    report = audit(topics.given())
    assert not report.ok
    assert expected <= {(each.kind, each.amount) for each in report.differences}
    assert all(each.portfolio_id == P1 for each in report.differences)


def test_same_trade_with_another_content_when_repeated_then_difference_and_counted_once() -> None:
    topics = agreeing()
    topics.feedback.append(msgspec.structs.replace(second_fill(topics), filled_amount=6_400))
    report = audit(topics.given())
    assert kinds(report) == {(P1, PING_AN, "trade_changed", 100)}
    assert report.fills == 4


def test_every_record_when_delivered_twice_then_no_difference() -> None:
    topics = agreeing()
    topics.submissions += [msgspec.structs.replace(each, epoch=EPOCH + 1) for each in topics.submissions[1:]]  # type: ignore[type-var]
    topics.feedback += topics.feedback[1:]
    topics.snapshots += topics.snapshots
    report = audit(topics.given())
    assert report.ok
    assert (report.orders, report.fills, report.duplicates) == (4, 4, 4 + 9)


def test_order_of_a_fenced_owner_when_behind_the_claim_then_it_does_not_count() -> None:
    topics = agreeing()
    topics.submissions.append(m.Claim(timestamp=TIME, node_id="n2", slot=SLOT, epoch=EPOCH + 1))
    topics.submissions.append(order("zombie", P1, PING_AN, 1, 100, 10.5))
    report = audit(topics.given())
    assert report.ok
    assert (report.orders, report.fenced) == (4, 1)
    topics.feedback.append(fill(order("zombie", P1, PING_AN, 1, 100, 10.5), 1, 100, 100, 10.5, 1_050, (5, 0, 0.0105)))
    assert (P1, PING_AN, "fill_without_order", 1_050) in kinds(audit(topics.given()))


def test_order_of_the_new_owner_when_behind_its_claim_then_it_counts() -> None:
    topics = agreeing()
    topics.submissions.append(m.Claim(timestamp=TIME, node_id="n2", slot=SLOT, epoch=EPOCH + 1))
    topics.submissions.append(m.Claim(timestamp=TIME, node_id="n1", slot=SLOT, epoch=EPOCH))  # an owner that woke up too late
    topics.submissions.append(order("new", P1, PING_AN, 1, 100, 10.5, epoch=EPOCH + 1))
    topics.submissions.append(order("zombie", P1, PING_AN, 1, 100, 10.5, epoch=EPOCH))
    report = audit(topics.given())
    assert (report.orders, report.fenced, report.pending) == (5, 1, 1)
    assert kinds(report) == {(P1, "", "orders", -1), (P1, PING_AN, "order_forgotten", -1)}


def test_report_of_a_fenced_exchange_when_behind_the_claim_of_its_source_then_it_does_not_count() -> None:
    topics = agreeing()
    doubled = msgspec.structs.replace(second_fill(topics), trade_id="another", report_seq=4)
    topics.feedback += [m.Claim(timestamp=TIME, node_id="x2", slot=SOURCE + 1, epoch=EPOCH + 9), doubled]
    assert not audit(topics.given()).ok, "the claim of another source fenced this one"
    topics.feedback[-1:] = [m.Claim(timestamp=TIME, node_id="x2", slot=SOURCE, epoch=EPOCH + 9), doubled]
    report = audit(topics.given())
    assert report.ok
    assert report.fenced == 1


def test_snapshot_when_older_than_another_then_the_newest_by_epoch_and_sequence_counts() -> None:
    topics = agreeing()
    stale = msgspec.structs.replace(topics.snapshots[0], cash=1, seq=0)
    fenced = msgspec.structs.replace(topics.snapshots[0], cash=2, seq=99, epoch=EPOCH - 1)
    topics.snapshots += [stale, fenced]
    assert audit(topics.given()).ok
    topics.snapshots.append(msgspec.structs.replace(topics.snapshots[0], cash=100_000, seq=2))
    assert kinds(audit(topics.given())) == {(P1, "", "cash", -484.285)}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"frozen": 904}, {(P2, "", "cash", -1)}),
        ({"fees": 5}, {(P2, "", "fees", -0.04)}),
        ({"positions": []}, {(P2, VANKE, "position", -200)}),
        ({"ledger": []}, {(P2, VANKE, "bought_volume", -200), (P2, VANKE, "bought_amount", -4_000), (P2, VANKE, "commission", -5),
                          (P2, VANKE, "transfer_fee", -0.04)}),
        ({"open_orders": []}, {(P2, PING_AN, "order_forgotten", -1)}),
        ({"open_orders": [{"order_id": "b2"}, {"order_id": "b3"}]}, {(P2, VANKE, "order_open", 1)}),
        ({"orders": 3}, {(P2, "", "orders", 1)}),
        ({"fills": 0}, {(P2, "", "fills", -1)}),
    ],
)  # fmt: skip
def test_portfolio_that_accounts_wrongly_when_audited_then_exactly_that_is_named(
    change: dict[str, object], expected: set[tuple[str, str, str, float]]
) -> None:
    topics = agreeing()
    topics.snapshots[1] = msgspec.structs.replace(topics.snapshots[1], **change)
    assert kinds(audit(topics.given())) == expected


def test_portfolio_that_trades_without_a_snapshot_when_audited_then_named_with_all_it_misses() -> None:
    topics = agreeing()
    del topics.snapshots[1]
    found = kinds(audit(topics.given()))
    assert {(P2, "", "no_snapshot", -1), (P2, VANKE, "bought_amount", -4_000)} <= found


def test_portfolio_with_a_fill_the_exchange_has_not_when_audited_then_named() -> None:
    topics = Topics(snapshots=[snapshot(P1, cash=98_944.99, fees=5.01, held={PING_AN: 100}, orders=0, fills=1, ledger=[
        m.LedgerLine(code=PING_AN, bought_volume=100, bought_amount=1_050, commission=5, transfer_fee=0.01)])])  # fmt: skip
    assert (P1, PING_AN, "bought_amount", 1_050) in kinds(audit(topics.given()))


def test_order_without_an_answer_when_audited_then_counted_as_pending_and_no_difference() -> None:
    topics = agreeing()
    del topics.feedback[-1]
    report = audit(topics.given())
    assert report.ok
    assert (report.pending, report.open) == (1, 0)


def test_order_that_ends_twice_or_goes_on_after_its_end_when_audited_then_named() -> None:
    topics = agreeing()
    cut = topics.submissions[3]
    assert isinstance(cut, m.OrderSubmission)
    topics.feedback.append(m.OrderExpired(timestamp=TIME, order_id="b2", portfolio_id=P2, report_seq=4, slot=SOURCE, epoch=EPOCH))
    assert kinds(audit(topics.given())) == {(P2, VANKE, "ended_twice", 1)}
    topics.feedback[-1] = msgspec.structs.replace(ack(cut), report_seq=4)
    assert kinds(audit(topics.given())) == {(P2, VANKE, "after_end", 1)}


def test_order_when_submitted_again_with_another_volume_then_named() -> None:
    topics = agreeing()
    topics.submissions.append(order("b1", P1, PING_AN, 1, 900, 10.5))
    assert kinds(audit(topics.given())) == {(P1, PING_AN, "order_changed", -100)}


def test_records_that_are_no_messages_when_audited_then_counted_and_without_effect() -> None:
    given = agreeing().given()
    bad = [b"", None, b"{", b'{"event_type": "order_filled"}', b'{"event_type": "order_ack", "_v": 2}', b"\xff"]
    given.feedback += [given.feedback[0]._replace(offset=100 + offset, value=value) for offset, value in enumerate(bad)]
    given.snapshots.append(b'{"_v":1,"cash":1e999999999}')
    report = audit(given)
    assert report.ok
    assert report.unreadable == len(bad) + 1


def test_money_that_is_no_sum_of_money_when_audited_then_unreadable() -> None:
    topics = agreeing()
    given = topics.given()
    for number in (b"0.00001", b"1e999999"):
        spoiled = m.encode(second_fill(topics)).replace(b'"commission":0', b'"commission":' + number)
        given.feedback[SECOND_FILL] = given.feedback[SECOND_FILL]._replace(value=spoiled)
        report = audit(given)
        assert report.unreadable == 1
        assert (P1, PING_AN, "bought_amount", 6_300) in kinds(report)


def test_topic_that_retention_has_cut_when_audited_then_not_ok() -> None:
    given = agreeing().given()
    given.deleted = [("ginkgo.live.orders.feedback, partition 3", 17)]
    report = audit(given)
    assert not report.ok
    assert "ginkgo.live.orders.feedback, partition 3: 17 records are deleted by retention" in report.differences[0].text
