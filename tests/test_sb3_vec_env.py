import sys
import types

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from stable_baselines3 import DQN
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor, VecVideoRecorder

import livestream_env  # noqa: F401
from livestream_env.sb3_vec_env import LiveStreamRecVecEnv
from tests.helpers import same_state


def make_vec(num_envs, **kwargs):
    kwargs = {"autoreset_mode": "SameStep"} | kwargs
    return gym.make_vec(
        "LiveStreamRec-v0",
        num_envs=num_envs,
        vectorization_mode="vector_entry_point",
        **kwargs,
    )


def test_vec_env_passes_on_what_the_vector_env_returns():
    venv = LiveStreamRecVecEnv(make_vec(8), info_keys=("watch_s",))
    reference = make_vec(8)
    venv.seed(11)
    observation = venv.reset()
    expected, _ = reference.reset(seed=11)
    np.testing.assert_array_equal(observation, expected)
    ended = 0
    for step in range(200):
        actions = np.full(8, step % 10)
        observation, reward, done, infos = venv.step(actions)
        expected, reward_64, terminated, truncated, info = reference.step(actions)
        np.testing.assert_array_equal(observation, expected)
        np.testing.assert_array_equal(reward, reward_64.astype(np.float32))
        np.testing.assert_array_equal(done, terminated | truncated)
        for i in range(8):
            assert ("terminal_observation" in infos[i]) == done[i]
            if done[i]:
                ended += 1
                np.testing.assert_array_equal(
                    infos[i]["terminal_observation"], info["final_obs"][i]
                )
                assert infos[i]["TimeLimit.truncated"] is False
                assert infos[i]["watch_s"] == info["final_info"]["watch_s"][i]
            else:
                assert infos[i]["watch_s"] == info["watch_s"][i]
    assert ended > 0
    np.testing.assert_array_equal(venv.env_method("action_masks"), venv.env.action_masks())


def test_vec_env_marks_truncation():
    venv = LiveStreamRecVecEnv(make_vec(4, max_episode_steps=2))
    venv.seed(0)  # four viewers whose day does not end with the first impression
    venv.reset()
    venv.step(np.zeros(4, np.int64))
    *_, done, infos = venv.step(np.zeros(4, np.int64))
    assert done.all()
    assert any(info["TimeLimit.truncated"] for info in infos)


def test_stable_baselines3_learns_on_the_vec_env():
    venv = VecMonitor(LiveStreamRecVecEnv(make_vec(8)))
    model = DQN("MlpPolicy", venv, learning_starts=64, buffer_size=1000, seed=0)
    model.learn(800)
    assert model.num_timesteps >= 800
    assert len(model.ep_info_buffer) > 0


def test_vec_env_refuses_what_it_cannot_do():
    with pytest.raises(ValueError, match=r"SameStep.*NextStep"):
        LiveStreamRecVecEnv(make_vec(2, autoreset_mode=AutoresetMode.NEXT_STEP))
    venv = LiveStreamRecVecEnv(make_vec(2))
    with pytest.raises(AttributeError, match="world cannot be set"):
        venv.set_attr("world", None)
    with pytest.raises(AttributeError, match="step"):
        venv.env_method("step", 0)


def test_vec_env_has_what_a_dummy_vec_env_of_single_environments_has():
    venv = LiveStreamRecVecEnv(make_vec(3))
    single = gym.make("LiveStreamRec-v0")
    dummy = DummyVecEnv([lambda: gym.make("LiveStreamRec-v0")] * 3)
    for each in (venv, dummy):
        each.seed(4)
        each.reset()
        assert each.get_attr("action_space", [0, 2]) == [single.action_space] * 2
        each.set_attr("group", "a", indices=[0, 2])
        each.set_attr("group", "b", indices=1)
        assert each.get_attr("group") == ["a", "b", "a"]
    for ours, theirs in zip(
        venv.env_method("get_state"), dummy.env_method("get_state"), strict=True
    ):
        assert same_state(ours, theirs)


def test_vec_env_passes_options_to_the_next_reset_only():
    venv = LiveStreamRecVecEnv(make_vec(4))
    venv.seed(0)
    venv.set_options({"viewer": 7})
    venv.reset()
    assert [info["viewer"] for info in venv.reset_infos] == [7, 7, 7, 7]
    venv.reset()
    assert [info["viewer"] for info in venv.reset_infos] != [7, 7, 7, 7]

    # Each her own, some with other names, some with none: as single environments would.
    mixed = [{"viewer": 3, "day": 1}, {}, {"viewer": 5}, {}]
    venv.seed(0)
    venv.set_options(mixed)
    observation = venv.reset()
    for i, options in enumerate(mixed):
        single = gym.make("LiveStreamRec-v0")
        alone, info = single.reset(seed=i, options=options)
        np.testing.assert_array_equal(observation[i], alone)
        np.testing.assert_equal(venv.reset_infos[i], info)


def test_vec_env_keeps_the_info_of_the_reset_that_began_an_episode():
    venv = LiveStreamRecVecEnv(make_vec(4, max_episode_steps=2), info_keys=("viewer",))
    venv.seed(0)
    venv.reset()
    first = [info["viewer"] for info in venv.reset_infos]
    for _ in range(2):
        *_, done, infos = venv.step(np.zeros(4, np.int64))
    assert done.all() and [info["viewer"] for info in infos] == first
    second = [info["viewer"] for info in venv.reset_infos]
    assert second != first
    infos = venv.step(np.zeros(4, np.int64))[3]
    assert [info["viewer"] for info in infos] == second


@pytest.mark.parametrize(
    "options",
    [[{}], [{"viewer": 1}, 5], {"reset_mask": np.ones(2, bool)}, [{}, {"viewer": -1}],
     [{"viewer": 1}, {"viewer": 10**9}], {"viewer": "seven"}, {"day": 0.5}],
)  # fmt: skip
def test_vec_env_refuses_wrong_options_and_resets_nothing(options):
    venv = LiveStreamRecVecEnv(make_vec(2))
    venv.seed(0)
    venv.reset()
    before = venv.env.get_state()
    venv.set_options(options)
    with pytest.raises(ValueError, match="options"):
        venv.reset()
    np.testing.assert_array_equal(venv.env.get_state(), before)


def test_vec_env_renders_all_viewers_as_one_picture():
    venv = LiveStreamRecVecEnv(make_vec(3, render_mode="rgb_array"))
    venv.reset()
    images = venv.get_images()
    height, width, _ = images[0].shape
    picture = venv.render()
    assert picture.dtype == np.uint8 and picture.shape == (2 * height, 2 * width, 3)
    np.testing.assert_array_equal(picture[:height, width:], images[1])
    without = LiveStreamRecVecEnv(make_vec(2))
    assert without.get_images() == [None, None]
    with pytest.warns(UserWarning, match="render_mode"):
        assert without.render() is None


def test_vec_video_recorder_records_at_the_environments_pace(tmp_path, monkeypatch):
    written = {}

    class Clip:
        def __init__(self, frames, fps):
            written.update(frames=len(frames), fps=fps)

        def write_videofile(self, path):
            written["path"] = path

    module = types.ModuleType("moviepy.video.io.ImageSequenceClip")
    module.ImageSequenceClip = Clip
    for name in ("moviepy", "moviepy.video", "moviepy.video.io"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, module.__name__, module)

    venv = LiveStreamRecVecEnv(make_vec(2, render_mode="rgb_array"))
    video = VecVideoRecorder(venv, str(tmp_path), lambda step: step == 0, video_length=3)
    video.reset()
    for _ in range(4):
        video.step(np.zeros(2, np.int64))
    video.close()
    assert (written["frames"], written["fps"]) == (4, venv.env.metadata["render_fps"])
    assert written["path"].startswith(str(tmp_path))
