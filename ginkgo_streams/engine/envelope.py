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


class Envelope(msgspec.Struct, array_like=True, frozen=True):
    """A value as it stands in the changelog and in RocksDB.

    (epoch, seq) orders the writes of a key over all its owners. `applied`: input topic to the last offset folded
    into the value. An empty payload means the key is gone.
    """

    epoch: int
    seq: int
    applied: dict[str, int]
    payload: bytes
    v: int = 1


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
    """A value from its bytes. Raises msgspec.DecodeError."""
    return _decoder.decode(value)


def seal_slot(state: SlotState) -> bytes:
    """The payload of a slot's own record."""
    return _encoder.encode(state)


def unseal_slot(payload: bytes) -> SlotState:
    """The slot's own record from its payload."""
    return _slot_decoder.decode(payload)
