"""What travels on an OCPP-J link, as types: frames, the generated payloads of each version, their codec, and refusals.

This package imports no version by itself; `codec` imports the one that is asked for.
"""
