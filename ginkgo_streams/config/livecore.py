"""What livecore needs of its settings, beyond each being right by itself."""

from __future__ import annotations

from collections.abc import Sequence

from ginkgo_streams.config.errors import Problem
from ginkgo_streams.config.problems import origin
from ginkgo_streams.config.schema import Settings
from ginkgo_streams.config.sources import Source
from ginkgo_streams.local.home import home


def livecore_problems(settings: Settings, sources: Sequence[Source]) -> list[Problem]:
    """Why livecore could not run the feed that these settings name; empty where it can."""
    chosen = settings.livecore
    place = origin(("livecore", "data_source"), sources)
    if chosen.data_source == "tushare":
        if settings.sources.tushare is None:
            where = str(home() / "data_sources.yml")
            return [Problem(where, "sources.tushare.token", None, f"missing, and the data source tushare ({place}) needs it")]
        expected = "live prices from Tushare are not part of this version, expected simulation or replay"
        return [Problem(place, "livecore.data_source", "'tushare'", expected)]
    if chosen.data_source == "replay":
        if not chosen.file:
            return [Problem(place, "livecore.file", None, "missing, and the data source replay needs it (--file)")]
        place = origin(("livecore", "file"), sources)
        return [
            Problem(place, "livecore.file", repr(str(path)), "there is no such file, expected bars as CSV or Parquet, or a folder of them")
            for path in chosen.file
            if not path.exists()
        ]
    return []
