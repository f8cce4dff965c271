"""The tables of the study of off-policy evaluation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from agents.ope.estimators import ESTIMATORS
from agents.reports.markdown import NONE, markdown_table, number_text

COMMAND = "`scripts.ope`"  # what the command says: the narrowest that is to be believed
Score = Callable[[pd.DataFrame], float]
SESSION = "session"  # the horizon that is looked at more closely
_LOG = ["behaviour", "repeat"]  # what tells logs of the same size apart


def study_tables(truth: pd.DataFrame, estimates: pd.DataFrame) -> list[str]:
    """All tables, as lines of Markdown.

    Args:
        truth: Columns ``policy``, ``horizon``, ``truth``, ``error`` (standard error).
        estimates: See :func:`agents.experiments.ope.estimate_cell`.
    """
    both = estimates.merge(truth, on=["policy", "horizon"])
    both["covered"] = (both["low"] <= both["truth"]) & (both["truth"] <= both["high"])
    sizes = " / ".join(f"{size:,}" for size in sorted(both["size"].unique()))
    lines = ["Truth, mean reward per episode ± standard error:", "", *truth_table(truth)]
    for horizon in truth["horizon"].unique():
        here = both[both["horizon"] == horizon]
        if here.empty:
            continue
        logs = here.groupby(_LOG).ngroups
        what = f"**{horizon}**: from logs of {sizes} decisions, over {logs} logs of each size"
        what += f" and {here['policy'].nunique()} policies"
        if logs > 1:
            what += f"; standard errors of the shares covered are {covered_error(here):.1%} or less"
        lines += ["", f"{what}.", "", *score_table(here)]
    session = both[both["horizon"] == SESSION]
    if session.empty:
        return lines
    largest = session[session["size"] == session["size"].max()]
    what = f"By who logged {both['size'].max():,} decisions, session: rank correlation, covered"
    lines += ["", f"{what}.", "", *behaviour_table(largest)]
    phis = session[session["estimator"] == "phis"]
    if phis.empty:
        return lines
    what = f"`phis` by policy, session, from {sizes} decisions: mean error with its sign, covered"
    return [*lines, "", f"{what}.", "", *policy_table(phis)]


def truth_table(truth: pd.DataFrame) -> list[str]:
    """A row per policy, a column per horizon."""
    horizons = list(truth["horizon"].unique())
    rows = []
    for policy, mine in truth.groupby("policy", sort=False):
        by = mine.set_index("horizon")
        cells = [f"{by.truth[h]:.2f} ± {by.error[h]:.2f}" for h in horizons]
        rows.append([str(policy), *cells])
    return markdown_table(["policy", *horizons], rows)


def score_table(both: pd.DataFrame) -> list[str]:
    """How good each estimator is, for each size in turn; of one horizon.

    The last row is what the command says: the narrowest estimate that is to be believed of each
    policy, where there is one.
    """
    rows = []
    for key in _made(both):
        mine = both[both["estimator"] == key]
        cells = [_by_size(mine, *score) for score in _SCORES.values()]
        rows.append([key, *cells, _by_size(mine[mine["trusted"]], covered, _percent)])
    header = ["estimator", *_SCORES, "covered if believed"]
    if len(rows) < len(ESTIMATORS):  # then it is not known what the command would say
        return markdown_table(header, rows)
    said = said_by_the_command(both)
    share = {size: part.groupby([*_LOG, "policy"]).ngroups for size, part in both.groupby("size")}
    told = " / ".join(f"{(said['size'] == size).sum() / n:.0%}" for size, n in share.items())
    error = _by_size(said, relative_error, _percent)
    width = _by_size(said, relative_width, _percent)
    rows.append([COMMAND, NONE, NONE, width, error, NONE, told, _by_size(said, covered, _percent)])
    return markdown_table(header, rows)


def said_by_the_command(both: pd.DataFrame) -> pd.DataFrame:
    """Of each log and policy the narrowest estimate that is to be believed, where there is one."""
    trusted = both[both["trusted"]].assign(width=lambda t: t["high"] - t["low"])
    return trusted.sort_values("width").groupby([*_LOG, "size", "policy"]).head(1)


def behaviour_table(both: pd.DataFrame) -> list[str]:
    """Rank correlation and coverage of each estimator by behaviour policy."""
    groups = list(both.groupby("behaviour", sort=False))
    header = ["estimator", *(str(behaviour) for behaviour, _ in groups)]
    rows = []
    for key in _made(both):
        cells = []
        for _, part in groups:
            mine = part[part["estimator"] == key]
            cells.append(f"{number_text(rank_correlation(mine))}, {_percent(covered(mine))}")
        rows.append([key, *cells])
    return markdown_table(header, rows)


def policy_table(mine: pd.DataFrame) -> list[str]:
    """Bias and coverage of one estimator for each policy."""
    rows = [
        [str(policy), _by_size(part, relative_bias, _signed), _by_size(part, covered, _percent)]
        for policy, part in mine.groupby("policy", sort=False)
    ]
    return markdown_table(["policy", "bias", "covered"], rows)


def _made(both: pd.DataFrame) -> list[str]:
    """The estimators that there are, in the order of tables."""
    return [key for key in ESTIMATORS if key in set(both["estimator"])]


def _by_size(part: pd.DataFrame, score: Score, text: Callable[[float], str]) -> str:
    """One cell: the score at each size."""
    return " / ".join(text(score(mine)) for _, mine in part.groupby("size")) or NONE


def _percent(share: float, sign: str = "") -> str:
    text = number_text(100.0 * share, sign, digits=0)
    return text if text == NONE else f"{text}%"


def _signed(share: float) -> str:
    return _percent(share, "+")


def rank_correlation(part: pd.DataFrame) -> float:
    """Mean over logs of Spearman's correlation of estimate and truth over the policies.

    What is undefined ranks lowest.
    """
    with np.errstate(invalid="ignore"):  # all the same: undefined, which counts as none
        found = [
            log["value"].fillna(-np.inf).rank().corr(log["truth"].rank())
            for _, log in part.groupby(_LOG)
        ]
    return float(pd.Series(found, dtype=float).fillna(0.0).mean()) if found else np.nan


def covered(part: pd.DataFrame) -> float:
    """Share of intervals that hold the truth."""
    return float(part["covered"].mean()) if len(part) else np.nan


def covered_error(part: pd.DataFrame) -> float:
    """Standard error over logs of the share covered, the largest of any estimator and size."""
    shares = part.groupby(["estimator", "size", *_LOG])["covered"].mean()
    return float(shares.groupby(["estimator", "size"]).sem().max())


def relative_width(part: pd.DataFrame) -> float:
    """Median of the width of the interval / truth."""
    width = (part["high"] - part["low"]) / part["truth"]
    return float(width.fillna(np.inf).median()) if len(part) else np.nan


def relative_bias(part: pd.DataFrame) -> float:
    """Mean of (estimate - truth) / truth."""
    return float(((part["value"] - part["truth"]) / part["truth"]).mean())


def relative_error(part: pd.DataFrame) -> float:
    """Median of |estimate - truth| / truth."""
    errors = (part["value"] - part["truth"]).abs() / part["truth"]
    return float(errors.fillna(np.inf).median()) if len(part) else np.nan


def regret(part: pd.DataFrame) -> float:
    """Mean over logs of what the policy with the highest estimate earns less than the best one."""
    found = []
    for _, log in part.groupby(_LOG):
        chosen = log["value"].fillna(-np.inf).to_numpy().argmax()
        found.append(log["truth"].max() - log["truth"].to_numpy()[chosen])
    return float(np.mean(found)) if found else np.nan


def believed(part: pd.DataFrame) -> float:
    """Share of estimates that nothing speaks against."""
    return float(part["trusted"].mean()) if len(part) else np.nan


_SCORES: dict[str, tuple[Score, Callable[[float], str]]] = {
    "rank correlation": (rank_correlation, number_text),
    "covered": (covered, _percent),
    "width": (relative_width, _percent),
    "error": (relative_error, _percent),
    "regret": (regret, number_text),
    "believed": (believed, _percent),
}
