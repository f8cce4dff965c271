"""The single environment, ``gymnasium.make("LiveStreamRec-v0")``."""

from __future__ import annotations

import operator
from typing import Any, SupportsFloat

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from livestream_env.arguments import RENDER_MODES, EnvArguments, takes_env_arguments
from livestream_env.infos import info_of_one
from livestream_env.observation import ObservationLayout
from livestream_env.registration import SpecAttribute
from livestream_env.rendering import Renderer
from livestream_env.simulation import Observation, Simulation, check_options
from livestream_env.world import World


@takes_env_arguments
class LiveStreamRecEnv(gym.Env[Observation, np.int64]):
    """Which live room should a viewer be shown next?

    ## Description
    One viewer opens a live-stream service several times a day. At every impression the agent shows
    her one of ``N`` candidate rooms. She may click and watch, for seconds or an hour; like,
    comment, send a gift, follow; then look at the next room, or leave and come back later. Rooms go
    live and end, what is on in them changes by the half minute, watching sates, attachments to
    streamers grow, and a hidden satisfaction decides how soon she returns. Sensational rooms win
    clicks and cost satisfaction: a policy that maximises the immediate reward loses to one that
    plans.

    Registered ids differ in the horizon only: ``LiveStreamRec-v0`` (one day, from 04:00 to
    04:00), ``LiveStreamRecSession-v0`` (one visit), ``LiveStreamRecWeek-v0`` (seven days).

    ## Action Space
    ``Discrete(N)``: the slot of the candidate to show. Slots are in random order. Empty slots
    (fewer rooms live than slots) are masked by ``info["action_mask"]`` (int8, for
    ``action_space.sample(mask)``) and ``action_masks()`` (bool, for MaskablePPO); choosing one
    shows nothing, takes the browsing time, and sets ``info["invalid_action"]``. Where no room is
    live at all, which small worlds know, every slot is valid: whichever is chosen shows nothing,
    takes the browsing time, and is not called invalid. So no mask is ever without a valid action,
    after an episode's end neither; the column ``valid`` and ``candidate_rooms`` tell what is there.

    ## Observation Space
    ``Box(-1, 1, (D,), float32)`` with blocks in this order (``observation="dict"``: the same
    numbers as ``Dict`` of the blocks, each flat, as Stable-Baselines3 wants them;
    ``observation="rows"``: of the blocks in the shapes below, a row per candidate). K categories, H
    impressions of history; ``layout`` names every column, ``print(env.unwrapped.layout.describe())``
    lists them.

    | block | shape | feature | range | meaning |
    |---|---|---|---|---|
    | viewer | 8 + K | age | [-1, 1] | age range, youngest to oldest |
    | | | is_female, is_male | 0, 1 | both 0: unknown |
    | | | device_price | [-1, 1] | price tier of the device |
    | | | is_streamer | 0, 1 | streams herself |
    | | | follow_count, fan_count | [0, 1] | log scaled |
    | | | activity | [-1, 1] | log of visits per day, relative |
    | | | taste_k | [-1, 1] | long-term preference for category k, in 4 s.d. |
    | context | 9 + K | hour_sin, hour_cos | [-1, 1] | local time of day |
    | | | time_left | [0, 1] | share of the horizon (1 for one visit) |
    | | | visit_elapsed | [0, 1] | log seconds of this visit, 1 = 4 h |
    | | | visit_impressions, visits, impressions | [0, 1] | log counts |
    | | | watched | [0, 1] | log seconds watched in the episode, 1 = a day |
    | | | click_rate | [0, 1] | of the episode, with a prior of 1 in 4 |
    | | | category_watch_k | [0, 1] | log recent seconds with category k (30 min forgetting) |
    | history | (H, 7 + K) | clicked, watch_s, likes, comments, gift_value, followed | [0, 1] | latest impression first; log or /3 scaled |
    | | | cover_appeal | [-1, 1] | of the room shown |
    | | | category_k | 0, 1 | one-hot; all 0 where there is no such impression yet |
    | candidates | (N, 9 + K) | valid | 0, 1 | the slot holds a live room; else all 0 |
    | | | affinity | [-1, 1] | estimate of the viewer's affinity, in 4 units |
    | | | past_watch | [0, 1] | log seconds ever watched with this streamer, 1 = a day |
    | | | followed | 0, 1 | the viewer follows the streamer |
    | | | cover_appeal | [-1, 1] | sensationalism as the cover shows it, in 3 units |
    | | | viewers | [-1, 1] | log audience of the room |
    | | | room_age | [0, 1] | log seconds since it went live, 1 = 12 h |
    | | | engagement | [-1, 1] | noisy recent engagement: a sign of a highlight |
    | | | category_watch | [0, 1] | as in context, for its category: a sign of satiation |
    | | | category_k | 0, 1 | one-hot |

    Hidden are satisfaction, fatigue, satiation, attachment, content state, quality and the room's
    end; ``observe="full"`` appends them as blocks ``hidden`` and ``hidden_candidates``.

    ``traces=True`` appends what the platform's logs tell beyond the last impressions, as blocks
    before these: ``past`` (regret: how often the viewer left sensational rooms at once, in 3 s.d.),
    ``traces`` (decayed sums over the episode, fast (.8 an impression) and slow (.98), scaled to
    [-1, 1]: shown, clicks, long_view, regretted, watch_s, interacted, left, cover, clicked_cover,
    watch_cover, left_cover, affinity, clicked_affinity; slow ones per category: category_shown_k,
    category_clicked_k) and ``logged_candidates`` (fan_club: size of the streamer's fan club, in 3
    s.d.; entered: 1 for a room entered just now, fading within hours).

    ## Rewards
    ``sum(weight * component)`` with components watch ``log1p(seconds / 10)`` (or minutes), like
    and comment (number, at most 3), gift ``log1p(value)``, follow (0 or 1); default weights 1, .5,
    .5, .5, .5. Components and natural units are in ``info``.

    ## Starting State
    A viewer, a day and the moment of her first visit, drawn so that viewers appear as often as
    they are active. She already knows some streamers. ``reset(options={"viewer": 7, "day": 0})``
    plays that viewer (row of ``world.viewers``) from that day on; either may be given alone. Then
    only the rest is drawn, still given that she visits within the horizon.

    ## Episode End
    ``terminated`` when the horizon is over (time of day and time left are observed), for the
    session when she leaves. ``truncated`` only by the registered time limit, which ordinary play
    does not reach.

    ## Info
    The same keys in reset and step: ``action_mask``, ``candidate_rooms``, ``candidate_streamers``
    (ids, -1 where empty) of the next impression; ``click``, ``watch_s``, ``likes``, ``comments``,
    ``gift_value``, ``follow``, ``room``, ``streamer`` (shown, or -1), ``invalid_action`` and the
    reward's components ``reward_watch``, ``reward_like``, ``reward_comment``, ``reward_gift``,
    ``reward_follow`` of the last one; ``elapsed_s`` from that impression to the next (browsing,
    watching, absence); ``clock_s`` from midnight of day 0; ``visit`` index; ``visit_ended``;
    ``viewer`` id.

    ## Arguments
    Args:
        {arguments}

    ## Version History
    * v0: initial version.
    """

    metadata = {"render_modes": list(RENDER_MODES), "render_fps": 2}  # noqa: RUF012 - Gymnasium's API
    spec = SpecAttribute()

    def __init__(self, **arguments: Any) -> None:
        given = EnvArguments.of(LiveStreamRecEnv, arguments)
        self.simulation = Simulation(1, given)
        self.observation_space = self.simulation.observation_space()
        self.action_space = spaces.Discrete(given.num_candidates)
        self.render_mode = given.render_mode
        self._renderer = Renderer.for_mode(given.render_mode, self.simulation)
        self._everyone = np.ones(1, np.bool_)
        self._action = np.zeros(1, np.int64)
        self._num_candidates = self.layout.num_candidates

    @property
    def layout(self) -> ObservationLayout:
        """Names of the observation's columns."""
        return self.simulation.layout

    @property
    def world(self) -> World:
        """The world that is played in."""
        return self.simulation.world

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin the next episode; with ``seed``, the first episode of that seed.

        Args:
            seed: of this and the episodes to come.
            options: ``"viewer"`` and ``"day"``, integers: whom to play and from which day on.

        Raises:
            ValueError: there is no such option or viewer, or her episode would not fit into the
                world's days.
        """
        starts = self.simulation.starts(check_options(options), self._everyone)
        super().reset(seed=seed)
        if seed is not None or self.simulation.slots["episode"][0] < 0:
            self.simulation.seed(0, self.np_random)
        outcomes, observations = self.simulation.reset(self._everyone, starts)
        if self._renderer is not None:
            self._renderer.after_reset()
        return self.simulation.shaped(observations[0]), info_of_one(outcomes.item())

    def step(
        self, action: np.int64
    ) -> tuple[Observation, SupportsFloat, bool, bool, dict[str, Any]]:
        """Show the candidate in slot ``action``.

        Raises:
            ValueError: the action is outside the space.
            ResetNeeded: before the first reset, or after the episode's end.
        """
        try:
            slot = operator.index(action)
        except TypeError:
            slot = -1
        if not 0 <= slot < self._num_candidates:
            raise ValueError(
                f"action must be an integer in [0, {self._num_candidates}), got {action!r}"
            )
        if self.simulation.slots["ended"][0]:
            raise ResetNeeded("the episode is over: call reset() before step()")
        if self._renderer is not None:
            self._renderer.before_step()
        self._action[0] = slot
        outcomes, observations = self.simulation.step(self._action)
        if self._renderer is not None:
            self._renderer.after_step(self._action, outcomes)
        outcome = outcomes.item()  # field by field would take five times as long
        info = info_of_one(outcome)
        return self.simulation.shaped(observations[0]), outcome[-2], outcome[-1], False, info

    def action_masks(self) -> NDArray[np.bool_]:
        """Which slots may be chosen, bool (N,): what MaskablePPO asks for."""
        return self.simulation.action_masks()[0]

    def expected_response(self) -> dict[str, NDArray[np.float64]]:
        """What each candidate would bring, given the hidden state; see :class:`Simulation`."""
        return self.simulation.expected_response()

    def get_state(self) -> NDArray[Any]:
        """An exact snapshot, randomness included: structured (1,), picklable."""
        return self.simulation.get_state()

    def set_state(self, state: NDArray[Any]) -> Observation:
        """Put back a snapshot; returns the observation of its moment.

        Raises:
            ValueError: it is of another world or other settings, or damaged; nothing has changed.
        """
        self.simulation.set_state(state)
        if self._renderer is not None:
            self._renderer.after_reset()
        return self.simulation.shaped(self.simulation.observe()[0])

    def render(self) -> Any:
        """The moment and what led to it: text for "ansi", (H, W, 3) uint8 for "rgb_array"."""
        if self._renderer is None:
            gym.logger.warn(
                "render() needs a render_mode: gym.make(id, render_mode='ansi' or 'rgb_array')"
            )
            return None
        self.simulation.require_reset("render()")
        return self._renderer.render(0)
