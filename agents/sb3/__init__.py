"""Stable-Baselines3's learners behind the interface of ours."""
