"""How far the evaluator has demonstrably come, by the scores that it recorded.

In a round it scores each model that is due, as of one position. A round may be cut short, by a busy
writer or a crash, and the next one goes on. So once a model was scored in two rounds, and a third
has begun, every model that was due in the first has had its turn.
"""


class Rounds:
    """Follows the evaluator's own scores."""

    def __init__(self) -> None:
        self._scored: dict[str, int] = {}
        self._as_of = self._as_of_before = self._seen_twice = 0
        self.settled = 0
        """The position through which every model that was due has had its turn."""

    def scored(self, stream: str, as_of: int) -> int:
        """Take in a score of the evaluator, and return how far everything is settled."""
        if as_of > self._as_of:
            self.settled = max(self.settled, self._seen_twice)
            self._as_of_before, self._as_of = self._as_of, as_of
        before = self._scored.get(stream, 0)
        if before < as_of:
            self._seen_twice = max(self._seen_twice, before)
            self._scored[stream] = as_of
        return self.settled

    def before(self, as_of: int) -> int:
        """Return as of which position the last round was before one; 0 where that is not known."""
        return max((one for one in (self._as_of, self._as_of_before) if one < as_of), default=0)
