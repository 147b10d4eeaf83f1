"""The cart: what a customer means to buy."""
