"""Command lines over the packages; run them as ``python -m scripts.<name>``."""

import os

# Before anything loads a numerical library: with matrices this small, threads that wait for each
# other cost more than they bring, and on a busy machine very much more.
for _variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")
