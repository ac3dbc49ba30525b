"""Documents that people write: their text read with places, checked, and written out again."""
