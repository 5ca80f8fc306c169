"""The nouns of trading: frozen structs and the transition table of each. No I/O, no clock, no randomness."""
