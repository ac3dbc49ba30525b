"""Authority: a pure fold of its events, the same for the service and for the auditor.

`table` says what each method and each event asks for, and what the built-in roles may do. `state`
is what the events have made so. `changes` judges a change of authority itself.
"""
