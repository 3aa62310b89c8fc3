"""Who is in the group, which slots each owns, and where it can be asked: as the last assignment said to every member.

The group's leader hands the whole assignment to all members with their own, so any of them can say who owns a slot. A
member's URL carries its node id and the address of its web views.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

NOWHERE = "web-views-off.invalid"
"""Stands for the address of a member without web views (RFC 2606: no host has this name)."""


@dataclass(frozen=True, slots=True)
class Member:
    """One member. address: "host:port" of its web views, "" where it has none. slots: those it is the active owner of."""

    node_id: str
    address: str
    slots: frozenset[int]


def member_url(node_id: str, address: str = "") -> str:
    """What a member is called in the group."""
    return f"http://{address or NOWHERE}/{node_id}"


def members(distribution: Mapping[str, Mapping[str, list[int]]], changelog: str) -> list[Member]:
    """All members, by node id. distribution: Faust's, URL to topic to active partitions; changelog: that of the slots' primary table."""
    found = []
    for url, topics in distribution.items():
        parts = urlsplit(url)
        address = "" if parts.netloc == NOWHERE else parts.netloc
        found.append(Member(parts.path.strip("/"), address, frozenset(topics.get(changelog, ()))))
    return sorted(found, key=lambda member: (member.node_id, member.address))
