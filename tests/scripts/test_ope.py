"""The command from file to verdict: it says what to believe, and when to believe nothing."""

from __future__ import annotations

import csv
import json

import pytest

from scripts import log_decisions, ope

SMALL = '{"config": {"num_viewers": 100, "num_streamers": 60, "days": 2}}'


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("ope") / "session.parquet"
    words = ["--steps", "2000", "--out", str(path), "--env-id", "LiveStreamRecSession-v0"]
    log_decisions.main([*words, "--env-kwargs", SMALL])
    return path


def test_near_is_believed_and_far_is_not(data, tmp_path, capsys):
    out = tmp_path / "ope.csv", tmp_path / "ope.json"
    words = [str(data), "--policy", "logging", "--policy", "popularity", "--resamples", "50"]
    assert ope.main([*words, "--csv", str(out[0]), "--json", str(out[1]), "--simulate", "64"]) == 0
    text = capsys.readouterr().out
    assert "narrowest to be believed" in text.split("## popularity")[0]
    assert "popularity: NO ESTIMATE HERE SHOULD BE BELIEVED" in text
    assert text.count("when it is played in the simulator") == 2
    rows = list(csv.DictReader(out[0].read_text().splitlines()))
    assert {row["policy"] for row in rows} == {"logging", "popularity"}
    assert len(rows) == len(json.loads(out[1].read_text()))
    assert {"value", "low", "high", "effective_sample_size", "trusted", "warnings"} <= set(rows[0])


def test_softer_policies(data, capsys):
    words = [str(data), "--policy", "max-ctr", "--resamples", "20", "--horizon", "3"]
    assert ope.main([*words, "--temperature", "2", "--epsilon", "0.5"]) == 0
    assert "## max-ctr" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--policy", "greedy-oracle"], "reads the environment's hidden state"),
        (["--policy", "dqn"], "name what it learned"),
        (["--policy", "random", "a", "b"], "at most one model"),
        (["--policy", "random", "--epsilon", "2"], "epsilon must be a number"),
        (["--policy", "random", "--simulate", "5", "--horizon", "5"], "whole episodes"),
        (["--policy", "randon"], "random"),
    ],
)
def test_what_is_refused(data, words, complaint, capsys):
    with pytest.raises(SystemExit):
        ope.main([str(data), *words])
    assert complaint in capsys.readouterr().err


def test_foreign_data(tmp_path, capsys):
    path = tmp_path / "foreign.parquet"
    path.write_bytes(b"nothing")
    with pytest.raises(SystemExit):
        ope.main([str(path), "--policy", "random"])
    assert "is not a file of logged decisions" in capsys.readouterr().err
