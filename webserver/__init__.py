"""The web server: it reads each request completely, within limits, and only then gives
it to a thread.

A client that sends one byte a second costs a little memory, not a thread. This package
knows nothing of the paths it serves: `config.request_classes` describes them.
"""
