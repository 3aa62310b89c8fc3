"""The broker's commission as livecore tells it: taken by all, and a bad word by none."""

from __future__ import annotations

from fractions import Fraction

import pytest

from ginkgo_streams import messages as m
from ginkgo_streams.apps.cluster import Cluster
from ginkgo_streams.apps.exchange_rules import commission_of, profile_of
from ginkgo_streams.apps.fees import adopt, word
from ginkgo_streams.config import Settings
from ginkgo_streams.domain.events import BUY
from ginkgo_streams.domain.market.cn import Commission
from ginkgo_streams.topics import NODE_APP, SLOTS

DEAR = Settings.model_validate(
    {"brokers": {"dear": {"type": "simulation", "commission_rate": "0.002", "min_commission": 20}}, "livecore": {"broker_type": "dear"}}
)


def heard(*updates: m.ScheduleUpdate) -> Cluster:
    """A process that has read these records of the schedule."""
    cluster = Cluster("127.0.0.1:1", NODE_APP, SLOTS)
    for update in updates:
        cluster.schedule_table.take(m.schedule_key(update), m.encode(update))
    return cluster


def test_node_configured_with_another_commission_then_reckons_with_the_brokers() -> None:
    profile = profile_of(Settings())
    adopt(heard(word(DEAR, "livecore_001")), profile.commission)
    assert profile.commission == Commission(Fraction("0.002"), 200_000)
    day = 740_000
    assert profile.fees(BUY, 100_000_000, day, "000001.SZ") == profile_of(DEAR).fees(BUY, 100_000_000, day, "000001.SZ")


def test_node_before_the_first_word_then_reckons_with_its_own_configuration() -> None:
    profile = profile_of(DEAR)
    adopt(heard(), profile.commission)
    assert profile.commission == Commission(Fraction("0.002"), 200_000)


@pytest.mark.parametrize(("rate", "minimum"), [("", 0), ("much", 0), ("1/0", 0), ("-0.1", 0), ("1.1", 0), ("0.001", -1)])
def test_bad_word_then_it_is_left_out_and_the_one_before_counts(rate: str, minimum: int, caplog: pytest.LogCaptureFixture) -> None:
    good = word(DEAR, "livecore_001")
    bad = m.ScheduleUpdate(timestamp=good.timestamp, kind="fees", subject="broker", commission_rate=rate, value=minimum)
    with pytest.raises(ValueError, match=r"."):
        commission_of(bad)
    profile = profile_of(Settings())
    adopt(heard(good, bad), profile.commission)
    assert profile.commission == Commission(Fraction("0.002"), 200_000)
    assert "fees:broker" in caplog.text
