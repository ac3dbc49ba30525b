"""The reference executor: it leases jobs, runs the steps of their recipes, and reports numbers.

A client like any other: all that it knows of the ledger came over the wire. `executor` takes jobs
through their stages, `steps` is what a step is told and what it answers, `running` runs one, and
`keeper` is the process that holds it to its limits. `state` is what outlives the worker's own
process. `stopping` is how it is told to end. `pipeline` is a step whose work is done elsewhere, and
`reproducing` runs a job again. `ledger/docs/worker.md` is for its users.
"""
