"""The checks. Each is one sentence about a server, and says what to do when it is not true."""
