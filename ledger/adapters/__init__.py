"""Adapters for platforms that people have: each a file, imported where its platform is.

`mlflow` has a registered version become a deployment, `airflow` has a DAG be the executor of jobs.
Both are clients like any other, and nothing else of the ledger knows them: `mlflow-skinny` and
`apache-airflow` come with the extras `mlflow` and `airflow`. `ledger/docs/adapters.md` is for their
users.
"""
