"""The dynamics of one viewer and her candidates, in Numba. Knows no Gymnasium.

Set ``NUMBA_DISABLE_JIT=1`` to run the same source as plain Python, for debugging and coverage.

Machine code is cached on disk (``cache=True``) for the entry points only, in ``kernel.py`` and
``expectation.py``: see ``state.py``.
"""
