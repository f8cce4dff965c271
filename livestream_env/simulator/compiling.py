"""How the simulator's functions are compiled."""

from __future__ import annotations

from numba import njit

# Into their callers: a function that is called takes the arrays of the world by value, which costs
# more than most of what these functions do.
inlined = njit(nogil=True, forceinline=True, error_model="numpy")
