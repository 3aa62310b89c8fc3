"""Small tools for users' own code."""
