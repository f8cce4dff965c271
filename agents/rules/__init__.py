"""Policies that learn little or nothing: baselines, rules on observables, oracles, the planner."""
