"""The load generator must not lie."""
