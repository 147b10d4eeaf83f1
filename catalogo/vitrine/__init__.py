"""The shop window (DESIGN, rule 11): products in memory, as bytes ready to be sent, following the database."""
