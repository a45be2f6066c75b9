"""The race: a page on which servers of the kit are watched under load, side by side, live.

`python3 -m harness.race --help` says how. All servers run at the same time on one core and compete
for it, so what can be seen is how each behaves, not what it could reach alone: that is what
`make bench` measures.
"""
