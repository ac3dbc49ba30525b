"""The client for threads, generated from `aio` but for connection, batch and stream."""
