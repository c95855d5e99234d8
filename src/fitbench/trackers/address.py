"""Addresses of trackers in messages."""

import re


def without_password(address: str) -> str:
    """An address for a message."""
    return re.sub(r"(?<=://)([^/@]*):[^/@]*@", r"\1:***@", address)
