"""The actors of one account: thin shells that feed the pure machines and carry out their effects."""
