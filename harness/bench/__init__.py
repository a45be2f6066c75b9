"""Measures the servers of the kit beside their peers; `python3 -m harness.bench --help` says how.

The method, in one paragraph. A load (loads.py, plan.py) is put to every server in turn, a second or
two each, and then again, round after round: all servers meet the machine's good and bad moments
alike, and the best round of each is compared. Server and client sit on separate cpus. What is
compared is the CPU time that the server pays per request; requests per second and latency are
shown, but on one machine they say as much about the client as about the server.

From the top down: __main__.py and options.py; quick.py, or full.py with plan.py and limits.py;
measure.py and turn.py, which know clients.py, servers.py and launch.py; janitor.py, should all
this be killed; results.py, tables.py and report/ for what comes out.
"""
