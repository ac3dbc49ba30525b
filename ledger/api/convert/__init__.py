"""Between messages and the values inside: total, and without any decision of its own."""
