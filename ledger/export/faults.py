"""What is wrong with a bundle, and where."""


class BundleError(ValueError):
    """A bundle that does not verify: the file and the line (0: the file as a whole), and why."""

    def __init__(self, file: str, line: int, why: str) -> None:
        super().__init__(file, line, why)
        self.file = file
        self.line = line
        self.why = why

    def __str__(self) -> str:
        """Return all three in one sentence."""
        place = f"{self.file}, line {self.line}" if self.line else self.file
        return f"{place}: {self.why}"
