"""The bench: what a message and a station cost, beside the bare protocol and a naive script, measured in the same run.

`python -m bench --help` says how to use it; `load` holds the one definition of the load, `bounds` what may not be
exceeded. Nothing here is shipped, and nothing of the station imports it.
"""
