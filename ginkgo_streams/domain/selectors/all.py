"""AllSelector: every code that has a price."""

from __future__ import annotations

import msgspec

from ginkgo_streams.domain.component import Kind


class AllParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """It has no parameters."""


class AllSelector:
    """Watches all codes."""

    kind: Kind = "selector"
    component_id = "all_selector_uuid"
    Params = AllParams

    def __init__(self, params: AllParams) -> None:
        pass

    def codes(self) -> tuple[str, ...] | None:
        """All."""
        return None
