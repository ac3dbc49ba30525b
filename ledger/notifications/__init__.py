"""Tells others of events: webhooks, e-mail and programs, each event at least once and in order."""
