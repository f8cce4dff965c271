from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.wrappers import RecordVideo

from livestream_env.rendering import Renderer, clock, duration, minutes
from tests.helpers import same_state

BUSY = {"click_bias": 12.0, "watch_bias": 6.0, "like_per_min": 5.0, "comment_per_min": 5.0,
        "gift_per_min": 10.0, "gift_base": 10.0, "follow_per_click": 1.0}  # fmt: skip


def frame(env, i=0):
    return env._renderer.frame(i)


def test_unknown_mode_names_the_valid_ones(make_env):
    with pytest.raises(ValueError, match=r"render_mode .*'ansi', 'rgb_array'.*'window'"):
        make_env(render_mode="window")


def test_render_needs_reset_and_mode(make_env):
    with pytest.raises(ResetNeeded):
        make_env(render_mode="ansi").render()
    env = make_env()
    env.reset(seed=0)
    with pytest.warns(UserWarning, match="render_mode"):
        assert env.render() is None


def test_first_frame_shows_candidates_and_no_outcome(make_env):
    env = make_env(render_mode="ansi")
    _, info = env.reset(seed=0)
    shown = frame(env)
    assert [card.room for card in shown.cards] == info["candidate_rooms"].tolist()
    assert [card.streamer for card in shown.cards] == info["candidate_streamers"].tolist()
    assert not any(card.chosen for card in shown.cards) and not shown.events
    assert shown.moment[0] == clock(info["clock_s"])
    assert "episode begins" in env.render()


def test_frame_shows_the_impression_that_was_played(make_env):
    env = make_env(render_mode="ansi", config=BUSY)
    _, before = env.reset(seed=1)
    slot = next(card.slot for card in frame(env).cards if card.known_s is None)
    _, reward, _, _, info = env.step(slot)
    assert info["click"] and info["likes"] and info["gift_value"] and info["follow"]
    shown = frame(env)
    assert [card.room for card in shown.cards] == before["candidate_rooms"].tolist()
    assert [card.slot for card in shown.cards if card.chosen] == [slot]
    assert shown.cards[slot].room == info["room"] and shown.cards[slot].streamer == info["streamer"]
    assert shown.moment[0] == clock(before["clock_s"])
    assert shown.events["click"] == f"clicked, watched {minutes(info['watch_s'])}"
    assert shown.events["likes"].startswith(str(info["likes"]))
    assert shown.events["comments"].startswith(str(info["comments"]))
    assert f"{info['gift_value']:,.0f}" in shown.events["gift"]
    assert "follow" in shown.events
    assert shown.totals["reward"] == f"{reward:.2f}"
    text = env.render()
    assert all(event in text for event in shown.events.values())
    assert all(name in text for name in shown.totals)
    assert "hidden: satisfaction" in text


def test_totals_add_up_over_the_episode_and_begin_anew(make_env):
    env = make_env(render_mode="ansi", config=BUSY)
    env.reset(seed=2)
    reward = likes = watch_s = steps = 0
    terminated = False
    while not terminated:
        _, r, terminated, _, info = env.step(steps % 10)
        reward += r
        likes += info["likes"]
        watch_s += info["watch_s"]
        steps += 1
    totals = frame(env).totals
    assert totals["reward"] == f"{reward:.2f}"
    assert totals["likes"] == str(likes)
    assert totals["impressions"] == str(steps)
    assert float(totals["watched"].split()[0]) == pytest.approx(watch_s / 60, abs=0.6)
    assert frame(env).events["end"] == "the episode is over"
    env.reset()
    assert frame(env).totals["reward"] == "0.00" and not frame(env).events


def test_leaving_and_returning(make_env):
    env = make_env(render_mode="ansi", config={"exit_bias": 20.0, "visits_per_day": 100.0})
    env.reset(seed=0)
    _, _, terminated, _, info = env.step(0)
    assert info["visit_ended"] and not terminated
    assert f"left until {clock(info['clock_s'])[:-3]}" in env.render()
    session = make_env(render_mode="ansi", horizon="visit", config={"exit_bias": 20.0})
    session.reset(seed=0)
    session.step(0)
    assert list(frame(session).events)[-2:] == ["left", "end"]
    assert "until" not in session.render()


def test_empty_slots(make_env):
    env = make_env(render_mode="ansi", world="plain", config={"num_streamers": 12})
    _, info = env.reset(seed=0)
    empty = int(np.flatnonzero(info["candidate_rooms"] < 0)[0])
    assert frame(env).cards[empty].room == -1
    env.step(empty)
    assert frame(env).events["empty"] and "(empty)" in env.render()


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_autoreset_shows_the_new_episode(make_venv, mode):
    env = make_venv(1, render_mode="ansi", horizon="visit", autoreset_mode=mode)
    env.reset(seed=0)
    ended = False
    while not ended:
        _, _, terminations, _, info = env.step(np.array([0]))
        ended = bool(terminations[0])
    if mode == "NextStep":
        assert "episode is over" in env.render()[0]
        info = env.step(np.array([0]))[-1]
    shown = frame(env)
    assert not shown.events and shown.totals["impressions"] == "0"
    assert [card.room for card in shown.cards] == info["candidate_rooms"][0].tolist()
    reward = env.step(np.array([1]))[1]
    assert frame(env).totals["reward"] == f"{reward[0]:.2f}"
    assert frame(env).totals["impressions"] == "1"


def test_reset_of_one_slot_leaves_the_others_on_screen(make_venv):
    env = make_venv(3, render_mode="ansi", autoreset_mode="Disabled")
    env.reset(seed=0)
    env.step(np.array([0, 1, 2]))
    before = env.render()
    env.reset(options={"reset_mask": np.array([False, True, False])})
    after = env.render()
    assert before[0] == after[0] and before[2] == after[2]
    assert "episode begins" in after[1]


def test_set_state_forgets_what_came_before(make_env):
    env = make_env(render_mode="ansi")
    env.reset(seed=0)
    env.step(0)
    state = env.get_state()
    env.step(1)
    env.set_state(state)
    assert not frame(env).events
    assert frame(env).totals["impressions"] == "1"


def test_rendering_changes_nothing(make_env):
    silent, shown = make_env(), make_env(render_mode="rgb_array")
    for env in (silent, shown):
        env.reset(seed=5)
    for step in range(15):
        a, b = silent.step(step % 10), shown.step(step % 10)
        shown.render()
        if a[2]:
            silent.reset()
            shown.reset()
        np.testing.assert_array_equal(a[0], b[0])
        assert same_state(silent.get_state(), shown.get_state())


def test_picture(make_env):
    pytest.importorskip("PIL")
    env = make_env(render_mode="rgb_array")
    env.reset(seed=0)
    first = env.render()
    env.step(0)
    second = env.render()
    for picture in (first, second):
        assert picture.dtype == np.uint8 and picture.shape == (540, 960, 3)
        assert len(np.unique(picture.reshape(-1, 3) @ [65536, 256, 1])) > 50  # colours
    assert (first != second).any()
    np.testing.assert_array_equal(second, env.render())


def test_picture_of_many_candidates_and_of_every_event(make_env):
    pytest.importorskip("PIL")
    from livestream_env.rendering.picture import WIDTH, Canvas

    env = make_env(render_mode="ansi")
    env.reset(seed=0)
    shown = frame(env)
    cards = tuple(
        replace(shown.cards[slot % 10], slot=slot, category=slot % 24, chosen=slot == 37)
        for slot in range(40)
    )
    long = tuple(f"{name}, and what goes with it" for name in shown.categories * 3)
    events = {
        "click": "clicked, watched 60:00",
        "likes": "12 likes",
        "comments": "10 comments",
        "gift": "gift worth 56,246",
        "follow": "followed",
        "left": "left until day 4, 12:19 (16 h 48 min)",
    }
    busy = replace(
        shown, cards=cards, categories=long, tastes=shown.tastes * 3,
        satiation=shown.satiation * 3, events=events, totals=shown.totals | {"reward": "1053.22"},
    )  # fmt: skip
    picture = Canvas().draw(busy)
    margin = picture[:, WIDTH - 7 :]  # nothing runs over the right edge of the page
    assert all((margin[y] == margin[y, 0]).all() for y in range(picture.shape[0]))


def test_video(make_env, tmp_path):
    pytest.importorskip("PIL")
    pytest.importorskip("moviepy")
    env = RecordVideo(
        make_env(render_mode="rgb_array"), str(tmp_path / "videos"), episode_trigger=lambda _: True,
        video_length=5, disable_logger=True,
    )  # fmt: skip
    env.reset(seed=0)
    for _ in range(6):
        env.step(0)
    env.close()
    (video,) = tmp_path.glob("videos/*.mp4")
    assert video.stat().st_size > 1000


def test_video_of_a_vector_env(make_venv, tmp_path):
    pytest.importorskip("PIL")
    pytest.importorskip("moviepy")
    env = gym.wrappers.vector.RecordVideo(
        make_venv(2, render_mode="rgb_array"), str(tmp_path / "videos"), video_aspect_ratio=(1, 1),
        episode_trigger=lambda _: True, video_length=3, disable_logger=True,
    )  # fmt: skip
    env.reset(seed=0)
    for _ in range(4):
        env.step(np.zeros(2, np.int64))
    env.close()
    assert len(list(tmp_path.glob("videos/*.mp4"))) == 1


def test_ansi_needs_no_pillow_and_rgb_array_says_so():
    code = """
import sys
sys.modules["PIL"] = None
import gymnasium, livestream_env
small = {"num_viewers": 50, "num_streamers": 50}
gymnasium.make("LiveStreamRec-v0", render_mode="ansi", config=small)
try:
    gymnasium.make("LiveStreamRec-v0", render_mode="rgb_array", config=small)
except gymnasium.error.DependencyNotInstalled as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'livestream-env[render]'" in done.stdout


def test_no_mode_no_renderer(make_env):
    assert Renderer.for_mode(None, make_env().simulation) is None


def test_words():
    assert clock(3 * 86_400 + 20 * 3600 + 41 * 60 + 7.9) == "day 3, 20:41:07"
    assert (minutes(102.9), minutes(3600)) == ("1:42", "60:00")
    assert (duration(59), duration(11_225)) == ("0 min", "3 h 07 min")


def test_words_of_a_picture_are_apart():
    pytest.importorskip("PIL")
    from PIL import Image, ImageDraw

    from livestream_env.rendering.picture import Canvas

    canvas = Canvas()
    for size in (11, 12, 13, 15):
        gaps = []
        for text in ("gift value", "giftvalue"):
            image = Image.new("L", (200, 40))
            canvas._pen = ImageDraw.Draw(image)
            canvas._text((5, 20), text, size, 255, "lm")
            inked = np.flatnonzero(np.asarray(image).any(axis=0))
            gaps.append(np.diff(inked).max() - 1)
            assert abs(inked[-1] - 5 - canvas._width(text, size)) < 3
        assert gaps[0] >= gaps[1] + 2 and gaps[0] >= 3, size
