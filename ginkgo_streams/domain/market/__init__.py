"""Markets: what one may order, when, at which prices and for which fees. One `Profile` per market."""
