"""Recipes and benchmark models: their documents, their life, and what jobs may use of them."""
