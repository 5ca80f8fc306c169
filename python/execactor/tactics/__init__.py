"""Pure machines that decide what to do: entry, protection, targets, exit, and the position machine over them."""
