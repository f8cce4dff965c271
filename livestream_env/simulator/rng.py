"""Counter-based random numbers: every draw is a pure function of where it is used.

A draw is named by (slot key, episode, impression, purpose). Therefore an episode is the same
viewer-day whatever the policy chose before, two policies share their luck impression by
impression (common random numbers), a viewer slot never depends on its neighbours, and a snapshot
of the state is also a snapshot of the randomness.

The mixing function is the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
"""

from __future__ import annotations

import math

import numpy as np
from numba import config as numba_config

from livestream_env.simulator.compiling import inlined

# Purposes of draws are read as ``rng.CLICK``: Numba compiles a function anew for each literal that
# it is called with, and for each name imported that stands for one; there would be ten more.
# Of one impression. Candidate retrieval uses CANDIDATES + 0, 1, 2, ...
ORDER = 0
CLICK = 1
WATCH = 2
LIKE = 3
COMMENT = 4
GIFT = 5
GIFT_PRICE = 6
FOLLOW = 7
EXIT = 8
RETURN = 9
GIFT_TIER = 10
NOTIFICATION = 11
CANDIDATES = 16
# Of the attempts to draw an episode's beginning.
VIEWER = 0
DAY = 1
SATISFACTION = 2
FIRST_VISIT = 3
ANY_VISIT = 4

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S12 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(12)
_MASK_16, _S16, _S32, _S48 = np.uint64(0xFFFF), np.uint64(16), np.uint64(32), np.uint64(48)
_S40 = np.uint64(40)
_ROUGH_LIMIT = np.float32(2.0 * math.sqrt(3.0))
_ROUGH_STEP = np.float32(math.sqrt(3.0) / 65535.0)
_TO_UNIT = 1.0 / 4503599627370496.0  # 2**-52
_POISSON_EXACT = 100.0  # beyond this mean, counts are rounded normal numbers

# Acklam's rational approximation of the normal quantile, relative error below 1.2e-9.
_A = (
    *(-3.969683028665376e01, 2.209460984245205e02, -2.759285104469687e02),
    *(1.383577518672690e02, -3.066479806614716e01, 2.506628277459239e00),
)
_B = (
    *(-5.447609879822406e01, 1.615858368580409e02, -1.556989798598866e02),
    *(6.680131188771972e01, -1.328068155288572e01),
)
_C = (
    *(-7.784894002430293e-03, -3.223964580411365e-01, -2.400758277161838e00),
    *(-2.549732539343734e00, 4.374664141464968e00, 2.938163982698783e00),
)
_D = (
    *(7.784695709041462e-03, 3.224671290700398e-01),
    *(2.445134137142996e00, 3.754408661907416e00),
)


@inlined
def mix(key, counter):
    """64 random bits for ``counter`` under ``key`` (both uint64)."""
    z = key + _GOLDEN * (np.uint64(counter) + np.uint64(1))
    z = (z ^ (z >> _S30)) * _MIX_1
    z = (z ^ (z >> _S27)) * _MIX_2
    return z ^ (z >> _S31)


if numba_config.DISABLE_JIT:  # type: ignore[attr-defined]  # NumPy scalars warn where machine integers wrap
    mix = np.errstate(over="ignore")(mix)


@inlined
def uniform(key, counter):
    """Uniform on the open interval (0, 1), 52 bits (with 53, the largest would round to 1)."""
    return (np.float64(mix(key, counter) >> _S12) + 0.5) * _TO_UNIT


@inlined
def unit_32(bits):
    """Uniform on [0, 1) as float32, from the highest 24 of 64 ``bits``."""
    return np.float32(np.int64(bits >> _S40)) * np.float32(2.0**-24)


@inlined
def below(bits, count):
    """Uniform on 0 .. count - 1 from the highest 32 of 64 ``bits``, for a count below 2**31."""
    return np.int64(((bits >> _S32) * np.uint64(count)) >> _S32)


@inlined
def _tail(q):
    numerator = ((((_C[0] * q + _C[1]) * q + _C[2]) * q + _C[3]) * q + _C[4]) * q + _C[5]
    return numerator / ((((_D[0] * q + _D[1]) * q + _D[2]) * q + _D[3]) * q + 1.0)


@inlined
def normal_quantile(p):
    """Inverse of the standard normal distribution function, for p in (0, 1)."""
    if p < 0.02425:
        return _tail(math.sqrt(-2.0 * math.log(p)))
    if p > 0.97575:
        return -_tail(math.sqrt(-2.0 * math.log(1.0 - p)))
    q = p - 0.5
    r = q * q
    numerator = ((((_A[0] * r + _A[1]) * r + _A[2]) * r + _A[3]) * r + _A[4]) * r + _A[5]
    denominator = ((((_B[0] * r + _B[1]) * r + _B[2]) * r + _B[3]) * r + _B[4]) * r + 1.0
    return numerator * q / denominator


@inlined
def normal(key, counter):
    """Standard normal, increasing in the underlying uniform."""
    return normal_quantile(uniform(key, counter))


@inlined
def rough_normal(bits):
    """Nearly normal float32 from 64 bits: the sum of four uniforms; |value| < 3.47, variance 1."""
    total = (
        (bits & _MASK_16)
        + ((bits >> _S16) & _MASK_16)
        + ((bits >> _S32) & _MASK_16)
        + (bits >> _S48)
    )
    return np.float32(np.int64(total)) * _ROUGH_STEP - _ROUGH_LIMIT


@inlined
def poisson(mean, u):
    """Poisson count, increasing in ``u`` in (0, 1): by inversion, for large means nearly so."""
    if mean > _POISSON_EXACT:
        return int(max(0.0, mean + math.sqrt(mean) * normal_quantile(u) + 0.5))
    probability = math.exp(-mean)
    cumulative = probability
    count = 0
    while u > cumulative and count < 1000:
        count += 1
        probability *= mean / count
        cumulative += probability
    return count
