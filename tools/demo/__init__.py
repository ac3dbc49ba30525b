"""The product on real data: `python -m tools.demo`, or `python3 tools/dev.py demo`."""

import os

# The matrices are tiny: threads of the linear algebra library would only wait for each other, and
# the order in which they add would decide the last digit of a loss. Before numpy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
