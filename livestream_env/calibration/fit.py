"""Learning a world from logs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from tqdm import tqdm

from livestream_env.behaviour import LoggingPolicy
from livestream_env.calibration import indirect
from livestream_env.calibration.estimates import (
    Estimate,
    assumed,
    gift_price_estimates,
    of_solution,
    room_estimates,
    spread_estimates,
    watching_estimates,
)
from livestream_env.calibration.latents import estimate_latents
from livestream_env.calibration.learning import Sample, first_world
from livestream_env.calibration.simulated import simulate_world_impressions
from livestream_env.config import SimulatorConfig
from livestream_env.logs import Logs
from livestream_env.world import World


@dataclass(frozen=True)
class Fit:
    """What was learnt from a log.

    Attributes:
        world: to play in.
        parameters: name → estimate, of the simulator and of worlds; found ones first.
        notes: what else a reader should know: what was left out, what did not fit.
    """

    world: World
    parameters: dict[str, Estimate]
    notes: tuple[str, ...]

    def __str__(self) -> str:
        """Value, standard error and status of every parameter, a line each; then the notes."""
        lines = [f"{'parameter':26s} {'value':>10s} {'stderr':>9s}  status"]
        for name, estimate in self.parameters.items():
            stderr = "" if estimate.stderr is None else f"{estimate.stderr:.2g}"
            note = f": {estimate.note}" if estimate.note else ""
            lines.append(f"{name:26s} {estimate.value:10.4g} {stderr:>9s}  {estimate.status}{note}")
        return "\n".join([*lines, *self.notes])


def fit(
    logs: Logs,
    policy: Callable[..., Any] = LoggingPolicy,
    *,
    seed: int = 0,
    max_streamers: int = 20_000,
    viewer_days: int = 14_000,
    progress_bar: bool = False,
) -> Fit:
    """Learn a world from logs.

    Viewers, streamers and rooms are those of the log: with their ids, their features, and the rooms
    when they were. Tastes, embeddings and what viewers knew before are estimated
    (:mod:`~livestream_env.calibration.latents`), then the parameters of the response are found
    for which logs simulated in the world look like the real ones
    (:mod:`~livestream_env.calibration.indirect`).

    Args:
        logs: what to learn from; without negatives nothing is learnt of clicks.
        policy: a class, called as ``policy(env, seed=seed)``: the behaviour policy that stands for
            the platform's own ranking, which a log does not contain.
        seed: of everything that is drawn.
        max_streamers: the most often shown ones are kept.
        viewer_days: how much to simulate at each step of the search.
        progress_bar: show one.

    Raises:
        ValueError: an argument is out of range, or there is too little in the logs to learn from.
    """
    for name, value in (("max_streamers", max_streamers), ("viewer_days", viewer_days)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 10:
            raise ValueError(f"{name} must be an integer of at least 10, got {value!r}")
    rng = np.random.default_rng(seed)
    total = 3 + indirect.num_simulations()
    with tqdm(total=total, desc="fit", unit="step", disable=not progress_bar) as bar:
        sample = Sample.of(logs, max_streamers)
        estimates = watching_estimates(sample.impressions) | gift_price_estimates(logs, rng)
        config = SimulatorConfig().replace({n: e.value for n, e in estimates.items()})
        bar.update()
        latents = estimate_latents(
            sample.impressions,
            sample.watch_limit_s(config),
            len(sample.streamers),
            len(sample.category_names),
            config,
            rng,
        )
        bar.update()
        world = first_world(logs, sample, latents, config, rng)
        bar.update()
        solution = _match(world, sample, policy, seed, viewer_days, rng, bar.update)
    found = dict(zip(solution.names, solution.values.tolist(), strict=True))
    config = config.replace(found)
    estimates |= of_solution(solution)
    estimates |= room_estimates(logs, len(sample.index.streamer_ids), sample.days, rng)
    estimates |= spread_estimates(world)
    return Fit(
        world=dataclasses.replace(world, simulator=config),
        parameters=estimates | assumed(estimates, config),
        notes=tuple(sample.notes),
    )


def _match(
    world: World,
    sample: Sample,
    policy: Callable[..., Any],
    seed: int,
    viewer_days: int,
    rng: np.random.Generator,
    progress: indirect.Progress,
) -> indirect.Solution:
    """Indirect inference on a sample of the viewers, the same ones logged and simulated."""
    count, browse_s = len(world.viewers), world.simulator.browse_s
    chosen = np.sort(rng.permutation(count)[: max(10, viewer_days // sample.days)])
    negatives = not sample.impressions["click"].all()

    def sums(impressions: np.ndarray) -> dict[str, np.ndarray]:
        if not negatives:
            impressions = impressions[impressions["click"]]
        table = indirect.sums(impressions, count, browse_s)
        return {name: values[chosen] for name, values in table.items()}

    def simulate(parameters: Mapping[str, float]) -> dict[str, np.ndarray]:
        return sums(
            simulate_world_impressions(world, policy, chosen, sample.days, seed, parameters)
        )

    return indirect.solve(
        sums(sample.of_viewer_days(chosen)), simulate, world.simulator, rng, progress=progress
    )
