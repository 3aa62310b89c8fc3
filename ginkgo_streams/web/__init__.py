"""What a node says over HTTP: its slots, its portfolios, and where in the group a portfolio is. For reading only."""
