"""What a trade costs in the A-share market: commission, stamp duty, transfer fee. Exact, in units of 0.0001 CNY."""

from __future__ import annotations

from fractions import Fraction

from ginkgo_streams.domain.events import SELL
from ginkgo_streams.domain.market.boards import board
from ginkgo_streams.domain.market.profile import Fees
from ginkgo_streams.domain.market.rates import PER_MILLION, Dated, day, half_up

STAMP_DUTY = Dated(1_000, (day(2023, 8, 28), 500))
"""Per million, sells only: 0.1 %, from 2023-08-28 0.05 %.

Source: Ministry of Finance and State Taxation Administration, announcement 2023 No. 39 (halved from 2023-08-28). The
seller alone pays since 2008-09-19; the kernel is not for days before that."""

TRANSFER_FEE = Dated(20, (day(2022, 4, 29), 10))
TRANSFER_FEE_BSE = Dated(25, (day(2022, 4, 29), 10))
"""Per million, both sides: Shanghai and Shenzhen 0.002 %, Beijing 0.0025 %; 0.001 % for all from 2022-04-29.

Source: China Securities Depository and Clearing Corporation, notice of 2022-04-28 on halving the transfer fee of stocks."""


def cn_fees(
    rate: Fraction, minimum: int, direction: int, amount: int, day_: int, code: str, commission_so_far: int, amount_so_far: int
) -> Fees:
    """Fees of a fill of `amount` units. The commission (rate, at least `minimum`) is that of the order so far, less what it has paid."""
    whole = max(minimum, half_up(amount_so_far + amount, rate.numerator, rate.denominator))
    duty = half_up(amount, STAMP_DUTY.on(day_), PER_MILLION) if direction == SELL else 0
    transfer = TRANSFER_FEE_BSE if board(code) == "bse" else TRANSFER_FEE
    return Fees(whole - commission_so_far, duty, half_up(amount, transfer.on(day_), PER_MILLION))
