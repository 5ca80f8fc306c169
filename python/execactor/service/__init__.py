"""What people and operators use: the command line, its logging, and the demo."""
