"""Livestream logs in the files of KuaiLive: tables, readers, reports.

Needs the extra ``livestream-env[logs]`` (pandas, pyarrow); nothing else of the package does.
"""

from livestream_env.logs.report import FileReport, ReadReport
from livestream_env.logs.tables import Logs, range_midpoint

__all__ = ["FileReport", "Logs", "ReadReport", "range_midpoint"]
