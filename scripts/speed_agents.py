"""The lines of the DQN: against Stable-Baselines3's, and against its own arithmetic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from agents.dqn import DQN
from agents.dqn.config import DQNConfig
from agents.dqn.replay_memory import ReplayBuffer
from scripts.measuring import Line, Result, Steps, each, measure

ENV_ID = "LiveStreamRec-v0"
# Hidden sizes, batch size, environment steps per update; ratio that must be reached, and the goal.
CASES = (
    ((256, 256), 128, 4, 2.0, 2.6),
    ((256, 256), 64, 1, 2.5, 3.5),
    ((64, 64), 128, 4, 4.0, 6.0),
    ((64, 64), 64, 1, 4.0, 6.0),
)
CANDIDATE_LIMITS = (0.5, 0.71)  # at most 2 and 1.4 times the products
_STARTS = 1_000  # environment steps before the first update


class PlainEnv(gym.Env):
    """128 random floats, 20 actions, episodes of 200 steps: costs next to nothing."""

    observation_space = gym.spaces.Box(-4.0, 4.0, (128,), np.float32)
    action_space = gym.spaces.Discrete(20)
    rows = np.random.default_rng(0).normal(size=(4096, 128)).clip(-4, 4).astype(np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """See Gymnasium."""
        super().reset(seed=seed)
        self.t = 0
        self.row = int(self.np_random.integers(4096))
        return self.rows[self.row], {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """See Gymnasium."""
        self.t += 1
        self.row = (self.row + 1 + int(action)) % 4096
        row = self.rows[self.row]
        return row, float(row[0]), False, self.t == 200, {}


class PlainVectorEnv(VectorEnv):
    """:class:`PlainEnv`, several in step."""

    def __init__(self, num_envs: int) -> None:
        self.num_envs = num_envs
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
        self.single_observation_space = PlainEnv.observation_space
        self.single_action_space = PlainEnv.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.row = np.zeros(num_envs, dtype=np.int64)
        self.t = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """See Gymnasium."""
        super().reset(seed=seed)
        self.t = 0
        self.row = self.np_random.integers(4096, size=self.num_envs)
        return PlainEnv.rows[self.row], {}

    def step(
        self, actions: Any
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """See Gymnasium."""
        self.t += 1
        self.row = (self.row + 1 + actions) % 4096
        observation = PlainEnv.rows[self.row]
        reward = observation[:, 0].astype(np.float64)
        over = np.full(self.num_envs, self.t == 200)
        info: dict[str, Any] = {}
        if self.t == 200:
            info["final_obs"] = np.array([*observation, None], dtype=object)[:-1]
            observation, _ = self.reset()
        return observation, reward, np.zeros_like(over), over, info


def plain_config(
    sizes: tuple[int, ...], batch_size: int, train_interval: int, num_envs: int = 4
) -> DQNConfig:
    """SB3's defaults in our terms: what makes the two do the same work."""
    return DQNConfig(
        network="mlp",
        hidden_sizes=sizes,
        double=False,
        loss="huber",
        learning_rate=1e-4,
        learning_rate_schedule="constant",
        max_grad_norm=10.0,
        gamma=0.99,
        batch_size=batch_size,
        replay_size=50_000,
        learning_starts=_STARTS,
        train_interval=train_interval,
        target_interval=10_000 // train_interval,
        epsilon_fraction=0.1,
        mask_actions=False,
        num_envs=num_envs,
        device="cpu",
        seed=0,
    )


def sb3_model(env: gym.Env, config: DQNConfig) -> Any:
    """SB3's DQN with its defaults but for the sizes that ``config`` sets."""
    from stable_baselines3 import DQN as SB3Model

    return SB3Model(
        "MlpPolicy",
        env,
        policy_kwargs={"net_arch": list(config.hidden_sizes)},
        batch_size=config.batch_size,
        buffer_size=config.replay_size,
        learning_starts=config.learning_starts,
        train_freq=config.train_interval,
        target_update_interval=config.target_interval * config.train_interval,
        seed=config.seed,
        device="cpu",
    )


def full_loop(
    sizes: tuple[int, ...],
    batch_size: int,
    train_interval: int,
    must: float,
    goal: float,
    plain: bool,
    num_envs: int,
    rounds: int,
) -> Result:
    """Act, step, store, sample, update, sync: CPU time per environment step, ours and SB3's.

    Ours steps ``num_envs`` at once and makes as many updates per step as SB3's.
    """
    config = plain_config(sizes, batch_size, train_interval, num_envs)
    ours = DQN(PlainVectorEnv(config.num_envs) if plain else ENV_ID, config)
    theirs = sb3_model(PlainEnv() if plain else gym.make(ENV_ID), config)

    def make() -> tuple[Steps, Steps]:
        learn = partial(ours.learn, reset_num_timesteps=False)
        reference = partial(theirs.learn, reset_num_timesteps=False)
        for steps in (learn, reference):
            steps(_STARTS + 200)
        return learn, reference

    where = "128 floats" if plain else ENV_ID
    line = Line(
        name=f"full loop, {where}, {'-'.join(map(str, sizes))}, batch {batch_size}, "
        f"an update per {train_interval}, {num_envs} envs",
        against="SB3's DQN",
        must=must,
        goal=goal,
        steps=400 if train_interval == 1 else 960,  # whole vector steps
        make=make,
    )
    (result,) = measure([line], rounds)
    if abs(ours.learner.num_updates - theirs._n_updates) > 1:
        raise RuntimeError("the two did not make the same number of updates")
    return result


def _trained(steps: int = 20_000, **settings: Any) -> DQN:
    """The default agent, with a memory to draw from."""
    settings = {"device": "cpu", "seed": 0, "learning_starts": 5_000, **settings}
    return DQN(ENV_ID, DQNConfig.preset("default", **settings)).learn(steps)


def _products(shapes: Sequence[tuple[int, int, int]]) -> Steps:
    """Matrix products ``(m, k) @ (k, n)``, nothing else."""
    factors = [(torch.randn(m, k), torch.randn(k, n), torch.empty(m, n)) for m, k, n in shapes]

    def multiply(_: int) -> None:
        with torch.inference_mode():
            for left, right, result in factors:
                torch.mm(left, right, out=result)

    return each(multiply)


def candidate_network(rounds: int) -> list[Result]:
    """Update and act of the default agent, against the matrix products in them."""
    agent = _trained()
    layout, learner, replay = agent.layout, agent.learner, agent.replay
    assert layout is not None and replay is not None and agent._observation is not None
    (width,) = agent.config.hidden_sizes
    shared, (slots, features) = len(layout.shared_columns), layout.candidate_columns.shape
    rng = np.random.default_rng(0)

    def forward(rows: int, scored: int) -> list[tuple[int, int, int]]:
        context = [(rows, shared, width), (rows, width, width)]
        return [*context, (rows * scored, features, width), (rows * scored, width, 1)]

    b = agent.config.batch_size
    backward = [(1, b, width), (b, 1, width), (width, b, features)]
    backward += [(width, b, width), (b, width, width), (width, b, shared)]
    # Double Q-learning: θ scores all slots of s', then one of them by θ⁻, one of s by θ.
    update = _products([*forward(b, slots), *forward(b, 1), *forward(b, 1), *backward])
    batch, rate = replay.sample(b, rng), agent.config.learning_rate
    observation = agent._observation
    act = _products(forward(len(observation), slots))

    def line(name: str, ours: Steps, products: Steps) -> Line:
        against = "its products alone"
        return Line(name, against, *CANDIDATE_LIMITS, steps=100, make=lambda: (ours, products))

    lines = [
        line(
            "update of the candidate network",
            each(lambda _: learner.update(batch, rate)),
            update,
        ),
        line(
            "Q-values of 128 viewers, candidate network",
            each(lambda _: learner.q_values(observation)),
            act,
        ),
    ]
    return measure(lines, rounds)


def variants(rounds: int) -> list[Result]:
    """What a switch costs: sample and update of the default agent, without and with it."""
    uniform = _trained()

    def line(name: str, must: float | None) -> Line:
        other = _trained(**{name: True})
        return Line(
            name=f"sample and update, {name}",
            against=f"without {name}",
            must=must,
            goal=None,
            steps=100,
            make=lambda: (each(lambda _: other._update()), each(lambda _: uniform._update())),
        )

    lines = [line("prioritized", 0.87), line("dueling", None)]  # 0.87: at most 15 % more
    return measure(lines, rounds)


def replay_memory(rounds: int) -> list[Result]:
    """Adding a transition: 128 viewers at a time to ours, one at a time to SB3's memory."""
    from stable_baselines3.common.buffers import ReplayBuffer as SB3Buffer

    env = gym.make(ENV_ID)
    assert isinstance(env.observation_space, gym.spaces.Box)
    (size,) = env.observation_space.shape
    envs, ones, steps = np.arange(128), np.ones(128), 100
    observation = np.random.default_rng(0).random((128, size), dtype=np.float32)
    # Small, so that all of it has been written to before: new memory costs the first writer.
    ours = ReplayBuffer(steps * len(envs), len(envs), size)
    theirs = SB3Buffer(steps * len(envs), env.observation_space, env.action_space, "cpu")
    one = (observation[:1], observation[1:2])
    ours.begin(envs, observation)

    def add_ours(_: int) -> None:
        ours.append(envs, envs % 10, ones, ones, observation)

    def add_theirs(_: int) -> None:
        for _ in range(len(envs)):
            theirs.add(*one, np.array([3]), ones[:1], np.array([False]), [{}])

    line = Line(
        name="adding a transition",
        against="SB3's replay memory",
        must=None,
        goal=None,
        steps=steps,
        make=lambda: (each(add_ours), each(add_theirs)),
        items=len(envs),
    )
    return measure([line], rounds)


def results(rounds: int) -> Iterator[Result]:
    """All comparisons, one after the other."""
    torch.set_num_threads(1)
    for plain, num_envs in ((True, 4), (False, 4), (False, 16)):
        for case in CASES:
            yield full_loop(*case, plain=plain, num_envs=num_envs, rounds=rounds)
    yield from candidate_network(3 * rounds)
    yield from variants(3 * rounds)
    yield from replay_memory(rounds)
