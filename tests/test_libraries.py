"""Other libraries on the environments, in worlds in which slots are empty, at times all of them.

Tests of libraries that are not installed are skipped; docs/environments/libraries.md has versions.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from livestream_env import LiveStreamRecVectorEnv
from livestream_env.infos import INFO_KEYS
from livestream_env.wrappers import ArrayInfo, MaskObservation, VectorMaskObservation

# Half of the moments have no room at all, the others some.
SPARSE = {"num_streamers": 10, "num_viewers": 50, "rooms_per_day": 0.3}
MASKED = {"observation": "observation", "mask": "action_mask"}  # TorchRL's names


def single(**kwargs: Any) -> gym.Env[Any, Any]:
    return gym.make("LiveStreamRecSession-v0", config=SPARSE, **kwargs)


def native(mode: AutoresetMode, **kwargs: Any) -> LiveStreamRecVectorEnv:
    return gym.make_vec(
        "LiveStreamRecSession-v0", 3, "vector_entry_point", config=SPARSE, autoreset_mode=mode
    )


def test_the_world_has_moments_without_any_room_and_slots_that_are_empty_beside_others():
    env = native(AutoresetMode.NEXT_STEP)
    rooms = [env.reset(seed=0)[1]["candidate_rooms"]]
    rooms += [env.step(np.zeros(3, np.int64))[-1]["candidate_rooms"] for _ in range(100)]
    held = (np.array(rooms) >= 0).any(-1)
    assert 0.1 < held.mean() < 0.9


def test_gymnasiums_samples():
    env = single()
    _, info = env.reset(seed=0)
    env.action_space.seed(0)
    ends = 0
    for _ in range(300):
        action = env.action_space.sample(mask=info["action_mask"])
        assert info["action_mask"][action] == 1
        *_, terminated, _, info = env.step(action)
        if terminated:  # a mask for what comes no more has a valid action, too
            ends += 1
            assert info["action_mask"][env.action_space.sample(mask=info["action_mask"])] == 1
            _, info = env.reset()
    assert ends

    viewers = native(AutoresetMode.SAME_STEP)
    _, infos = viewers.reset(seed=0)
    for _ in range(100):
        masks = infos["action_mask"]
        actions = viewers.action_space.sample(mask=tuple(masks))
        assert masks[np.arange(3), actions].all()
        *_, infos = viewers.step(actions)


@pytest.mark.parametrize("of", ["gymnasium", "stable_baselines3"])
def test_maskable_ppo(of):
    contrib = pytest.importorskip("sb3_contrib")
    from livestream_env.sb3_vec_env import LiveStreamRecVecEnv

    env = single() if of == "gymnasium" else LiveStreamRecVecEnv(native(AutoresetMode.SAME_STEP))
    model = contrib.MaskablePPO("MlpPolicy", env, n_steps=150, batch_size=50, seed=0)
    model.learn(450)
    observation = model.get_env().reset()
    masks = np.stack(model.get_env().env_method("action_masks"))
    actions, _ = model.predict(observation, action_masks=masks)
    assert masks[np.arange(len(actions)), actions].all()


class TestTorchRL:
    @pytest.fixture(autouse=True)
    def torchrl(self):
        self.envs = pytest.importorskip("torchrl.envs")
        self.check = pytest.importorskip("torchrl.envs.utils").check_env_specs

    def test_infos_are_collected(self):
        env = self.envs.GymWrapper(ArrayInfo(single())).auto_register_info_dict()
        self.check(env)
        assert {*INFO_KEYS} <= {*env.rollout(20, break_when_any_done=False)["next"].keys()}

    @pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.DISABLED])
    def test_native_vector_env(self, mode):
        env = self.envs.GymWrapper(native(mode))
        self.check(env)
        assert env.rollout(60, break_when_any_done=False).shape == (3, 60)

    def test_gymnasiums_vector_env_of_an_id(self):
        # In processes that have imported nothing.
        env_id = "livestream_env:LiveStreamRecSession-v0"
        env = self.envs.GymEnv(env_id, num_envs=2, config=SPARSE)
        self.check(env)
        assert env.rollout(60, break_when_any_done=False).shape == (2, 60)
        env.close()

    @pytest.mark.parametrize("of", ["single", "native", "sync"])
    def test_random_actions_are_valid_with_action_mask(self, of):
        disabled = AutoresetMode.DISABLED
        if of == "single":
            made = MaskObservation(single(), **MASKED)
        elif of == "native":
            made = VectorMaskObservation(native(disabled), **MASKED)
        else:
            made = VectorMaskObservation(
                SyncVectorEnv([single] * 3, autoreset_mode=disabled), **MASKED
            )
        env = self.envs.TransformedEnv(self.envs.GymWrapper(made), self.envs.ActionMask())
        self.check(env)
        played = env.rollout(200, break_when_any_done=False)
        assert (played["action_mask"] & played["action"].bool()).any(-1).all()

    def test_q_value_actor(self):
        modules = pytest.importorskip("torchrl.modules")
        made = MaskObservation(single(), **MASKED)
        env = self.envs.GymWrapper(made, categorical_action_encoding=True)
        env = self.envs.TransformedEnv(env, self.envs.ActionMask())
        actor = modules.QValueActor(
            modules.MLP(in_features=323, out_features=10, num_cells=[16]),
            in_keys=["observation"],
            spec=env.action_spec,
            action_mask_key="action_mask",
            action_space="categorical",
        )
        played = env.rollout(100, actor, break_when_any_done=False)
        assert played["action_mask"].gather(-1, played["action"][:, None]).all()


def test_tianshous_dqn():
    dqn = pytest.importorskip("tianshou.algorithm.modelfree.dqn")
    from tianshou.algorithm.optim import AdamOptimizerFactory
    from tianshou.data import Collector, VectorReplayBuffer
    from tianshou.env import DummyVectorEnv
    from tianshou.utils.net.common import Net
    from tianshou.utils.torch_utils import policy_within_training_step, torch_train_mode

    envs = DummyVectorEnv([lambda: MaskObservation(single())] * 2)
    env = MaskObservation(single())
    policy = dqn.DiscreteQLearningPolicy(
        model=Net(state_shape=323, action_shape=10, hidden_sizes=[16]),
        action_space=env.action_space,
        observation_space=env.observation_space,
        eps_training=0.5,
    )
    algorithm = dqn.DQN(policy=policy, optim=AdamOptimizerFactory(lr=1e-3))
    buffer = VectorReplayBuffer(1000, 2)
    collector = Collector(algorithm, envs, buffer, exploration_noise=True)
    collector.reset()
    with policy_within_training_step(policy):
        collector.collect(n_step=300)
        with torch_train_mode(policy):
            algorithm.update(buffer, 64)
    played, _ = buffer.sample(0)
    assert played.obs.mask[np.arange(len(played)), played.act].all()


@pytest.mark.slow
class TestRLlib:
    @pytest.fixture(autouse=True)
    def cluster(self):
        ray = pytest.importorskip("ray")
        self.ppo = pytest.importorskip("ray.rllib.algorithms.ppo", exc_type=ImportError)
        ray.init(num_cpus=2, include_dashboard=False)
        yield
        ray.shutdown()

    def train(self, config: Any) -> None:
        config = config.training(train_batch_size_per_learner=256, minibatch_size=64, num_epochs=1)
        algorithm = config.build_algo()
        result = algorithm.train()
        algorithm.stop()
        assert result["env_runners"]["num_env_steps_sampled_lifetime"] >= 256

    def test_ppo_with_action_masks(self):
        from ray.rllib.core.rl_module.rl_module import RLModuleSpec
        from ray.rllib.examples.rl_modules.classes.action_masking_rlm import (
            ActionMaskingTorchRLModule,
        )
        from ray.tune.registry import register_env

        def make(config: dict[str, Any]) -> gym.Env[Any, Any]:
            env = gym.make("livestream_env:LiveStreamRecSession-v0", **config)
            return MaskObservation(env, observation="observations", mask="action_mask")

        register_env("masked", make)
        self.train(
            self.ppo.PPOConfig()
            .environment("masked", env_config={"config": SPARSE})
            .env_runners(num_env_runners=0)
            .rl_module(rl_module_spec=RLModuleSpec(module_class=ActionMaskingTorchRLModule))
        )

    @pytest.mark.parametrize("mode", ["sync", "vector_entry_point"])
    def test_an_id_in_a_worker_that_has_imported_nothing(self, mode):
        self.train(
            self.ppo.PPOConfig()
            .environment("livestream_env:LiveStreamRecSession-v0", env_config={"config": SPARSE})
            .env_runners(num_env_runners=1, num_envs_per_env_runner=2, gym_env_vectorize_mode=mode)
        )
