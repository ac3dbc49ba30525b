"""Pure integers: scoring, rules, ranking, planning and explanation, each under a released name.

Nothing here reads a clock, a file or a float, so an auditor derives every result from events alone.
"""
