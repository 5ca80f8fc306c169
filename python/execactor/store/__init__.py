"""Durable state: the write-ahead journal, recovery from it, and the lock that keeps a second engine away."""
