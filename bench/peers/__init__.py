"""What a user would otherwise pick, written as its own documentation would have it."""
