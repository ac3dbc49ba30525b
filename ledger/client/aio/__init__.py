"""The client for asyncio; `blocking` is generated from it, but for connection, batch and stream."""
