"""Venues: the protocol that every venue implements, and one package per venue."""
