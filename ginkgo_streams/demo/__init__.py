"""The demo: a whole cluster on this machine, portfolios trading on it, and the proof of their books at the end."""
