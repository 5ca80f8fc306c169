"""execactor: hand it a decision; it gets you in and keeps a venue-confirmed stop on every position."""

__version__ = "0.1.0"
