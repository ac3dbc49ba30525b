"""The fleet: models, signals and policies as commands, as a fold, and as of any position."""
