"""Judges a server from outside: sockets, /proc and signals. Never reads its source."""
