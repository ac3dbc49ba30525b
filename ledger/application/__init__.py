"""Use cases and the only writer: commands, evaluator, plans, replay, checkpoints. No protobuf."""
