"""The client for asyncio: the twin of `blocking`, method for method."""
