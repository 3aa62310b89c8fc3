"""The backtest: the live system's portfolios, exchange, risk chain and fees, driven over stored bars without Kafka."""
