"""Logged decisions: what a learner, or an estimate of another policy, needs of a log.

A row per observation: what was seen, which candidates could be shown, with which probabilities,
which one was, and what came of it. Needs the extra ``livestream-env[logs]`` (pyarrow).
"""

from livestream_env.extras import needs

with needs("logs", __name__):
    from livestream_env.decisions.decisions import Decisions
    from livestream_env.decisions.description import Description
    from livestream_env.decisions.reading import DecisionFile, read_decisions
    from livestream_env.decisions.writing import decision_writer

__all__ = ["DecisionFile", "Decisions", "Description", "decision_writer", "read_decisions"]
