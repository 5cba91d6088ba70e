"""Bounds how often a password may be tried, before anything is hashed.

A failed login costs a third of a second of CPU, whatever name it is for.
"""
