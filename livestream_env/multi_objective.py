"""The environments with a vector for a reward, by MO-Gymnasium's convention.

``mo_gymnasium.make("livestream_env:mo-LiveStreamRec-v0")``; and ``mo-LiveStreamRecSession-v0`` and
``mo-LiveStreamRecWeek-v0``. Gymnasium's own ``make`` and ``make_vec`` take them, too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from livestream_env.env import LiveStreamRecEnv
from livestream_env.reward import REWARD_COMPONENTS, REWARD_FIELDS
from livestream_env.simulation import Observation
from livestream_env.vector_env import LiveStreamRecVectorEnv

REWARD_SPACE = spaces.Box(0.0, np.inf, (len(REWARD_COMPONENTS),), np.float32)


class MOLiveStreamRecEnv(LiveStreamRecEnv):
    """:class:`LiveStreamRecEnv`, whose reward are its components, unweighted.

    ``step`` returns a float32 array (5,) in the order of ``livestream_env.reward.
    REWARD_COMPONENTS`` (watch, like, comment, gift, follow). ``reward_weights`` play no role; to
    weigh is up to the learner, or ``mo_gymnasium.wrappers.LinearReward(env, weight)``.

    Attributes:
        reward_space: ``Box(0, inf, (5,), float32)``.
        reward_dim: 5.
    """

    reward_space = REWARD_SPACE
    reward_dim = len(REWARD_COMPONENTS)

    def step(
        self, action: np.int64
    ) -> tuple[Observation, NDArray[np.float32], bool, bool, dict[str, Any]]:
        """Show the candidate in slot ``action``; see :meth:`LiveStreamRecEnv.step`."""
        observation, _, terminated, truncated, info = super().step(action)
        reward = np.array([info[name] for name in REWARD_FIELDS], np.float32)
        return observation, reward, terminated, truncated, info


class MOLiveStreamRecVectorEnv(LiveStreamRecVectorEnv):
    """:class:`LiveStreamRecVectorEnv` with rewards (num_envs, 5), as ``MOSyncVectorEnv`` has them.

    Attributes:
        reward_space: of one viewer.
        reward_dim: 5.
    """

    reward_space = REWARD_SPACE
    reward_dim = len(REWARD_COMPONENTS)

    def rewards(self, outcomes: NDArray[Any]) -> NDArray[Any]:
        """The components of ``outcomes`` (N,), float32 (N, 5)."""
        return np.stack([outcomes[name] for name in REWARD_FIELDS], axis=-1).astype(np.float32)
