"""Bars from files, checked whole and in columns: what backtests run over and the replay feed publishes."""
