"""The exchange's side of the books: orders and fills from the topics, each once, and whether they agree among themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ginkgo_streams.audit.records import END, Fill, LastFill, Report, Submission, content, units
from ginkgo_streams.audit.report import Difference, difference


@dataclass(slots=True)
class Totals:
    """What the fills of one portfolio in one code add up to. Volumes in shares, money in units of 0.0001 CNY."""

    bought_volume: int = 0
    sold_volume: int = 0
    bought_amount: int = 0
    sold_amount: int = 0
    commission: int = 0
    stamp_duty: int = 0
    transfer_fee: int = 0

    @property
    def fees(self) -> int:
        """All fees."""
        return self.commission + self.stamp_duty + self.transfer_fee

    def add(self, fill: Fill) -> None:
        """Count a fill."""
        if fill.direction > 0:
            self.bought_volume += fill.filled_volume
            self.bought_amount += units(fill.filled_amount)
        else:
            self.sold_volume += fill.filled_volume
            self.sold_amount += units(fill.filled_amount)
        self.commission += units(fill.commission)
        self.stamp_duty += units(fill.stamp_duty)
        self.transfer_fee += units(fill.transfer_fee)


@dataclass(slots=True)
class Books:
    """Orders by id, their reports by report_seq, fills by (order id, trade id)."""

    orders: dict[str, Submission] = field(default_factory=dict)
    reports: dict[str, dict[int, Report]] = field(default_factory=dict)
    fills: dict[tuple[str, str], Fill] = field(default_factory=dict)
    duplicates: int = 0
    differences: list[Difference] = field(default_factory=list)

    def totals(self) -> dict[str, dict[str, Totals]]:
        """By portfolio and code."""
        result: dict[str, dict[str, Totals]] = {}
        for fill in self.fills.values():
            result.setdefault(fill.portfolio_id, {}).setdefault(fill.code, Totals()).add(fill)
        return result

    def ended(self, order_id: str) -> bool:
        """Whether the exchange has ended the order."""
        return any(isinstance(report, END) for report in self.reports.get(order_id, {}).values())


def read_books(submissions: Iterable[Submission], reports: Iterable[Report]) -> Books:
    """Fold the records that count into books, with every rule checked that needs no portfolio."""
    books = Books()
    for submission in submissions:
        known = books.orders.setdefault(submission.order_id, submission)
        if known is not submission:
            books.duplicates += 1
            if content(known) != content(submission):
                books.differences.append(_changed_order(known, submission))
    for report in reports:
        _take(books, report)
    for order_id, by_seq in books.reports.items():
        books.differences += _check_order(books.orders.get(order_id), by_seq)
    for fill in books.fills.values():
        books.differences += _check_fill(books.orders.get(fill.order_id), fill)
    books.differences += _overfilled(books)
    return books


def _take(books: Books, report: Report) -> None:
    """Book a report unless it is a copy of one that is booked. A copy that says something else is a difference; a trade
    that nobody has counted yet counts, whatever is wrong with its report: better a difference more than one less."""
    by_seq = books.reports.setdefault(report.order_id, {})
    known = by_seq.setdefault(report.report_seq, report)
    if known is not report and content(known) == content(report):
        books.duplicates += 1
        return
    if isinstance(report, Fill):
        trade = books.fills.setdefault((report.order_id, report.trade_id), report)
        if trade is not report:
            what = f"trade {report.trade_id} of order {report.order_id} is recorded with two contents"
            books.differences.append(_of_amounts(report, "trade_changed", units(trade.filled_amount), units(report.filled_amount), what))
            return
    if known is not report:
        order = books.orders.get(report.order_id)
        what = f"report {report.report_seq} of order {report.order_id} is recorded with two contents"
        if isinstance(report, Fill):
            before = units(known.filled_amount) if isinstance(known, Fill) else 0
            books.differences.append(_of_amounts(report, "report_changed", before, units(report.filled_amount), what))
        else:
            code = order.code if order else ""
            books.differences.append(difference(report.portfolio_id, code, "report_changed", 1, 2, "records", what))


def _changed_order(known: Submission, other: Submission) -> Difference:
    what = f"order {known.order_id} is submitted with two contents"
    return difference(known.portfolio_id, known.code, "order_changed", known.volume, other.volume, "shares", what)


def _of_amounts(fill: Fill, kind: str, expected: int, found: int, what: str) -> Difference:
    return difference(fill.portfolio_id, fill.code, kind, expected, found, "CNY", what)


def _check_order(order: Submission | None, by_seq: dict[int, Report]) -> Iterator[Difference]:
    """Reports without gaps, cumulative volumes that add up, one end and nothing after it."""
    reports = [by_seq[seq] for seq in sorted(by_seq)]
    first = reports[0]
    code = order.code if order else next((report.code for report in reports if isinstance(report, Fill)), "")
    if reports[-1].report_seq != len(reports):
        what = f"order {first.order_id}: reports are missing (last report_seq {reports[-1].report_seq})"
        yield difference(first.portfolio_id, code, "report_missing", reports[-1].report_seq, len(reports), "reports", what)
    filled = 0
    ends = 0
    for report in reports:
        if isinstance(report, Fill):
            filled += report.filled_volume
            if report.cumulative_volume != filled:
                what = f"order {report.order_id}, trade {report.trade_id}: cumulative_volume is not the sum of the fills"
                yield difference(report.portfolio_id, report.code, "cumulative", filled, report.cumulative_volume, "shares", what)
                filled = report.cumulative_volume  # one missing fill is one difference, not one for each that follows
            if order and report.remaining_volume != order.volume - report.cumulative_volume:
                what = f"order {report.order_id}, trade {report.trade_id}: remaining_volume is not the rest of the order"
                left = order.volume - report.cumulative_volume
                yield difference(report.portfolio_id, report.code, "remaining", left, report.remaining_volume, "shares", what)
            if isinstance(report, LastFill) != (report.remaining_volume == 0):
                what = f"order {report.order_id}, trade {report.trade_id}: its kind does not fit what remains"
                yield difference(report.portfolio_id, report.code, "fill_kind", 0, report.remaining_volume, "shares", what)
        if ends and not isinstance(report, END):
            what = f"order {report.order_id}: report {report.report_seq} comes after the order has ended"
            yield difference(report.portfolio_id, code, "after_end", 0, 1, "reports", what)
        ends += isinstance(report, END)
    if ends > 1:
        yield difference(first.portfolio_id, code, "ended_twice", 1, ends, "ends", f"order {first.order_id} has ended more than once")


def _check_fill(order: Submission | None, fill: Fill) -> Iterator[Difference]:
    """A fill belongs to an order that counts, is the order's own code and side, and costs its price times its volume."""
    name = f"trade {fill.trade_id} of order {fill.order_id}"
    amount = units(fill.filled_amount)
    if (right := units(fill.filled_price) * fill.filled_volume) != amount:
        yield _of_amounts(fill, "fill_amount", right, amount, f"{name}: filled_amount is not price times volume")
    if order is None:
        yield _of_amounts(fill, "fill_without_order", 0, amount, f"{name} has no submission that counts")
        return
    if (order.portfolio_id, order.code, order.direction) != (fill.portfolio_id, fill.code, fill.direction):
        yield _of_amounts(fill, "wrong_order", 0, amount, f"{name} is of another portfolio, code or side than the order")
    if order.price is not None and (fill.filled_price - order.price) * order.direction > 0:
        limit, price = units(order.price), units(fill.filled_price)
        yield _of_amounts(fill, "beyond_limit", limit, price, f"{name}: price is beyond the order's limit")


def _overfilled(books: Books) -> Iterator[Difference]:
    filled: dict[str, int] = {}
    for fill in books.fills.values():
        filled[fill.order_id] = filled.get(fill.order_id, 0) + fill.filled_volume
    for order_id, volume in filled.items():
        order = books.orders.get(order_id)
        if order is not None and volume > order.volume:
            what = f"order {order_id} is filled beyond its volume"
            yield difference(order.portfolio_id, order.code, "overfilled", order.volume, volume, "shares", what)
