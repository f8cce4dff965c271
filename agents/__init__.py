"""Agents for live-stream recommendation: policies, a hand-written DQN, and their evaluation."""
