"""What owners do with portfolios, whatever the door: command line, Python, HTTP."""
