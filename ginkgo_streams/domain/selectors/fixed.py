"""FixedSelector: a list of codes."""

from __future__ import annotations

from typing import Annotated

import msgspec

from ginkgo_streams.domain.component import Kind

Code = Annotated[str, msgspec.Meta(pattern=r"^\d{6}\.(SZ|SH|BJ)$", description="a code such as 000001.SZ")]


class FixedParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters."""

    codes: Annotated[tuple[Code, ...], msgspec.Meta(min_length=1, description="codes to watch, such as 000001.SZ")]


class FixedSelector:
    """Watches these codes."""

    kind: Kind = "selector"
    component_id = "fixed_selector_uuid"
    Params = FixedParams

    def __init__(self, params: FixedParams) -> None:
        self._codes = tuple(sorted(set(params.codes)))

    def codes(self) -> tuple[str, ...] | None:
        """The codes, sorted."""
        return self._codes
