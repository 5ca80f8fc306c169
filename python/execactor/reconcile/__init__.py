"""Reconciliation, pure: (our view, the venue's view) -> findings."""
