"""The way in: requests are read whole, within limits, before a thread works on them.

A sender that writes one byte a second then costs a little memory, not a thread.
"""
