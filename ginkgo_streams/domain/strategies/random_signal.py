"""RandomSignalStrategy: signals by a hash of (seed, code, time), for load and chaos tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np

from ginkgo_streams.domain.component import Kind, Signal
from ginkgo_streams.domain.events import BUY, SELL

if TYPE_CHECKING:
    from ginkgo_streams.domain.account import Account
    from ginkgo_streams.domain.batch import Batch


class RandomSignalParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters."""

    seed: Annotated[int, msgspec.Meta(ge=0, lt=2**31, description="another seed gives other signals")] = 0
    probability: Annotated[float, msgspec.Meta(ge=0, le=1, description="of a signal at an update, 0 to 1")] = 0.01


class RandomSignalStrategy:
    """At an update of a code, with `probability`, buys or (where something is held, or the market has short selling) sells; the coin is
    the hash's last bit.

    The same seed, code and time give the same signal whatever else happens, so runs can be compared.
    """

    kind: Kind = "strategy"
    component_id = "random_signal_strategy_uuid"
    Params = RandomSignalParams

    def __init__(self, params: RandomSignalParams) -> None:
        self.seed = np.uint64(params.seed * 0x9E3779B97F4A7C15 % 2**64)
        self.bound = params.probability * 2.0**63

    def history(self) -> int:
        """It looks at no prices."""
        return 1

    def signals(self, batch: Batch, account: Account, state: dict[str, Any]) -> Iterable[Signal]:
        """Vectorised: the loop runs over hits only."""
        drawn = _mixed(_mixed(batch.ts.astype(np.uint64) ^ self.seed) ^ batch.hashes)
        found: list[Signal] = []
        for i in np.flatnonzero((drawn >> np.uint64(1)).astype(np.float64) < self.bound).tolist():
            code = batch.codes[i]
            if int(drawn[i]) & 1:
                found.append(Signal(code, BUY, int(batch.ts[i]), "random"))
            elif account.volume(code) > 0 or account.short_selling:
                found.append(Signal(code, SELL, int(batch.ts[i]), "random"))
        return found


def _mixed(x: np.typing.NDArray[np.uint64]) -> np.typing.NDArray[np.uint64]:
    """The finaliser of splitmix64 (S. Vigna, public domain): every bit of the input moves every bit of the output."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
