"""Measures the servers of the kit beside their peers; `python3 -m harness.bench --help` says how.

The method, in one paragraph. A load (loads.py) is driven by wrk against every server in turn, a
second each, and then again, round after round: all servers meet the machine's good and bad
moments alike, and the best round of each is compared. Server and client sit on separate cpus.
What is compared is the CPU time that the server pays per request; requests per second and
latency are shown, but on one machine they say as much about wrk as about the server.
"""
