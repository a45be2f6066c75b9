"""What a server does, drawn: `make trace`.

strace writes down the system calls of a few clients' visit (record); `story` makes of them who
waited in what and who ran for whom, `verdict` which model that is, `svg`, `page` and `chrome`
draw it. Nothing here knows a server's source, and any binary can be looked at.
"""
