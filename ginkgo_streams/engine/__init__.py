"""Faust made safe: a single writer per process, durable before visible, fenced owners. Knows nothing of trading."""
