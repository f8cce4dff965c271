"""The command that learns a world from logs, end to end."""

from __future__ import annotations

import json
from pathlib import Path

import gymnasium as gym
import pytest

from livestream_env import World
from livestream_env.calibration.figures import PLOTS
from scripts.calibrate import log_format, main
from tests.logs.files import lines, write

SAMPLE = Path(__file__).parents[2] / "data" / "sample_log"
NAMES = ("ctr", "watch_p50_s", "watch_p90_s", "watch_mean_s", "likes_per_click",
         "comments_per_click", "gifts_per_click", "room_minutes_p50", "hourly_share")  # fmt: skip


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory):
    """A folder with what the command writes, and what it prints."""
    folder = tmp_path_factory.mktemp("calibrated")
    options = ["--world", f"{folder / 'world.npz'}", "--json", f"{folder / 'report.json'}"]
    options += ["--plots", f"{folder / 'plots'}", "--users", "40", "--viewers", "20"]
    with pytest.MonkeyPatch.context() as patch:
        printed = []
        patch.setattr("builtins.print", lambda *parts, **_: printed.extend(map(str, parts)))
        assert main([f"{SAMPLE}", *options]) == 0
    return folder, "\n".join(printed)


def test_report(calibrated):
    folder, _ = calibrated
    report = json.loads((folder / "report.json").read_text())
    for name in NAMES:
        assert {"log", "world", "published"} <= set(report["statistics"][name])
    assert 0 < report["statistics"]["ctr"]["log"] < 1
    assert report["statistics"]["ctr"]["published"] == 0.2787
    assert len(report["statistics"]["hourly_share"]["world"]) == 24
    for estimate in report["fit"].values():
        assert set(estimate) == {"value", "stderr", "status", "note"}
    assert report["fit"]["click_bias"]["stderr"] > 0
    for counts in report["rows"].values():
        assert counts["read"] == counts["kept"] + sum(counts["reasons"].values())
    assert report["rows"]["click"]["reasons"]["not_selected"] > 0
    assert report["events"]["gift"]["same_time"] > 0


def test_world_can_be_played(calibrated):
    folder, _ = calibrated
    world = World.load(folder / "world.npz")
    assert len(world.viewers) == 40
    env = gym.make("LiveStreamRec-v0", world=str(folder / "world.npz"))
    observation, _ = env.reset(seed=0)
    assert env.observation_space.contains(observation)


def test_plots(calibrated):
    folder, _ = calibrated
    assert {path.stem for path in (folder / "plots").glob("*.png")} == set(PLOTS)


def test_print(calibrated):
    _, printed = calibrated
    assert "not_selected" in printed
    assert "log: 40 viewers, 7 days" in printed
    assert "world: 20 viewers, 7 days" in printed
    assert "not compared: other numbers of viewers" in printed
    for name in ("ctr", "hourly_share_correlation", "click_bias", "same_time"):
        assert name in printed
    assert "nan" not in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give either LOGS or --check"),
        (["logs", "--check"], "give either LOGS or --check"),
        (["nowhere"], "nowhere does not exist"),
        ([f"{SAMPLE}", "--policy", "nobody"], "unknown agent 'nobody'"),
        ([f"{SAMPLE}", "--users", "201"], "users"),
        ([f"{SAMPLE}", "--format", "twitch"], "100k_a"),
    ],
)
def test_mistakes_are_named(arguments, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_strict_stops_at_a_bad_row(tmp_path, capsys):
    files = lines()
    files["click"].append("1,10,1,yesterday,5")
    write(tmp_path, files)
    with pytest.raises(SystemExit):
        main([f"{tmp_path}", "--strict"])
    assert "click" in capsys.readouterr().err


def test_too_little_to_fit_is_said(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main([f"{write(tmp_path, lines())}"])
    assert f"no world can be fitted to {tmp_path}" in capsys.readouterr().err


def test_format_is_known_by_the_files(tmp_path):
    for name, file in {
        "kuailive": "click.csv", "twitch": "100k_a.csv", "kuailive-m3": "live/live_interaction.csv"
    }.items():  # fmt: skip
        path = tmp_path / name / file
        path.parent.mkdir(parents=True)
        path.write_text("")
        assert log_format(tmp_path / name) == name
    assert log_format(tmp_path / "twitch" / "100k_a.csv") == "twitch"
