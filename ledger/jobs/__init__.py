"""Jobs: pure folds of the events of retraining work, the same for the service and for the auditor.

`machine` is what events have made of each job, `steps` says which event may come next and which
must. `budgets` has what may be spent, `budget_scopes` for which models, `budget_forecast` until
when, `money` which events of a budget belong to those of a job. `recipes` and `benchmarks` have
what jobs are made by. `forecast` says what a job may cost and bring, `forecast_words` in words.
`lineage` tells a run, in the words of `run_words`; `openlineage`,
`provenance` and `confidence` make documents of it. The service asks before it appends, and the
auditor asks again.
"""
