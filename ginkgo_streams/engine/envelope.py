"""How a table value is stored: who wrote it, in which order, and which inputs are in it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

CLAIM = b"\x00claim"
"""Key of the newest claim in a changelog partition."""
SLOT = b"\x00slot"
"""Key of the slot's own record: fences, and how far every value of the primary table is known to reach."""
OWNED = b"\x00owned"
"""Local only: we own this copy and have not given it back cleanly."""
RESERVED = b"\x00"


VERSION = 1
"""Of all that this release stores, envelopes and payloads alike. When to raise it: docs/architecture.md, "Changing what is stored"."""


class LaterVersion(Exception):
    """A value that a later release wrote. It is left as it is: reading it wrong, and writing it again, would lose what it says."""


class Envelope(msgspec.Struct, array_like=True, frozen=True):
    """A value as it stands in the changelog and in RocksDB.

    (epoch, seq) orders the writes of a key over all its owners. `applied`: input topic to the last offset folded
    into the value. An empty payload means the key is gone. v: the version of the release that wrote it.
    """

    epoch: int
    seq: int
    applied: dict[str, int]
    payload: bytes
    v: int = VERSION


class SlotState(msgspec.Struct, array_like=True):
    """The payload of the slot's own record. fences: input topic to source to greatest epoch claimed."""

    fences: dict[str, dict[int, int]]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Envelope)
_slot_decoder = msgspec.msgpack.Decoder(SlotState)


def seal(epoch: int, seq: int, applied: Mapping[str, int], payload: bytes) -> bytes:
    """The bytes of a value."""
    return _encoder.encode(Envelope(epoch, seq, dict(applied), payload))


def unseal(value: bytes) -> Envelope:
    """A value from its bytes. Raises LaterVersion, msgspec.DecodeError."""
    envelope = _decoder.decode(value)
    if envelope.v > VERSION:
        raise LaterVersion(f"a value of version {envelope.v} of a later release, this one reads {VERSION} at most: upgrade this process")
    return envelope


def seal_slot(state: SlotState) -> bytes:
    """The payload of a slot's own record."""
    return _encoder.encode(state)


def unseal_slot(payload: bytes) -> SlotState:
    """The slot's own record from its payload."""
    return _slot_decoder.decode(payload)
