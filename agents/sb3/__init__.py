"""Stable-Baselines3's learners behind the interface of ours."""

from livestream_env.extras import needs

with needs("sb3", __name__):
    import sb3_contrib  # noqa: F401
    import stable_baselines3  # noqa: F401
