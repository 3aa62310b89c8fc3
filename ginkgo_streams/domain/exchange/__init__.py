"""The simulated exchange: what becomes of an order, given the prices that come after it. Pure."""
