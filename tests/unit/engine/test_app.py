"""The app's streams keep what arrived before the flow resumes: Faust would drop it after it has sought the inputs."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ginkgo_streams.engine.app import AppSettings, EngineApp


def test_stream_buffer_when_the_flow_resumes_keeps_what_has_arrived(tmp_path: Path) -> None:
    async def arrive() -> int:
        app = EngineApp(AppSettings("kept", "n1", "127.0.0.1:1", tmp_path))
        buffer = app.stream(app.raw_topic("in")).channel.queue
        buffer.put_nowait("message")
        app.flow_control.suspend()
        app.flow_control.resume()
        return int(buffer.qsize())

    assert asyncio.run(arrive()) == 1
