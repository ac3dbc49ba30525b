"""Jobs: pure folds of the events of retraining work, the same for the service and for the auditor.

`machine` is what events have made of each job, `steps` says which event may come next and which
must. The service asks before it appends, and the auditor asks again.
"""
