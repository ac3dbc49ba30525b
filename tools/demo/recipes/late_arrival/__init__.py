"""The recipe of delay models."""
