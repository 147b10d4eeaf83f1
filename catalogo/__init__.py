"""The catalog: products, categories and stock."""
