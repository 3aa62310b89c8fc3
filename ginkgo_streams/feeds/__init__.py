"""Where market data comes from: simulation and replay, both as steps in event time, and the publisher that sends them."""
