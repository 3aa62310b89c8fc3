"""FixedVolumeSizer: every buy has the same number of shares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from ginkgo_streams.domain.component import Kind, Proposal

if TYPE_CHECKING:
    from ginkgo_streams.domain.account import Account


class FixedVolumeParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters."""

    volume: Annotated[int, msgspec.Meta(ge=1, le=1_000_000, description="shares of a buy")] = 100


class FixedVolumeSizer:
    """`volume` shares."""

    kind: Kind = "sizer"
    component_id = "fixed_volume_sizer_uuid"
    Params = FixedVolumeParams

    def __init__(self, params: FixedVolumeParams) -> None:
        self.shares = params.volume

    def volume(self, proposal: Proposal, account: Account) -> int:
        """Shares."""
        return self.shares
