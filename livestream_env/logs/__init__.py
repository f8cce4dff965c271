"""Livestream logs in the files of KuaiLive: tables, readers, reports.

Needs the extra ``livestream-env[logs]`` (pandas, pyarrow, tqdm); nothing else of the package does.
"""

from livestream_env.extras import needs

with needs("logs", __name__):
    from livestream_env.logs.adapters import read_kuailive_m3, read_twitch
    from livestream_env.logs.log_data import Logs, range_midpoint
    from livestream_env.logs.read_report import FileReport, ReadReport
    from livestream_env.logs.reading import read_logs
    from livestream_env.logs.schema import REASONS

__all__ = [
    "REASONS",
    "FileReport",
    "Logs",
    "ReadReport",
    "range_midpoint",
    "read_kuailive_m3",
    "read_logs",
    "read_twitch",
]
