"""What the bakery does with orders; standard library only, the world comes in through the ports."""
