"""Orders: from a full cart to a cake in somebody's hands."""
