"""Governance: pure folds of its events, the same for the service and for the auditor.

The life of policies: `lifecycle` is what events have made of their versions, `requirements` says
which approvals a scope takes, `steps` and `activations` judge what may be done next, and `status`
answers questions. `cases` has what decisions ask of people. The service asks before it appends,
and the auditor asks again.
"""
