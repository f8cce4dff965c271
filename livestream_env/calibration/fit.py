"""Learning a world from logs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

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
from livestream_env.calibration.impressions import LogIndex
from livestream_env.calibration.latents import estimate_latents
from livestream_env.calibration.learning import Sample, first_world
from livestream_env.calibration.people import with_activity_spread, with_popularity
from livestream_env.calibration.simulated import simulate_world_impressions
from livestream_env.config import SimulatorConfig, WorldConfig
from livestream_env.logs import Logs
from livestream_env.progress import Progress
from livestream_env.settings import check_integer
from livestream_env.simulated_logs.policy import LoggingPolicy
from livestream_env.world import MIN_ROOM_S, World

FEWEST_STREAMERS = 10  # the default number of candidates
FEWEST_VIEWERS = 2


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
    index: LogIndex | None = None,
    impressions: np.ndarray | None = None,
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
        index: ``LogIndex.of(logs)``, if it is there already.
        impressions: ``impressions_of(logs, index)``, likewise; they stay as they are.

    Raises:
        ValueError: an argument is out of range, or there is too little in the logs to learn from.
    """
    check_integer("max_streamers", max_streamers, 10)
    check_integer("viewer_days", viewer_days, 10)
    rng = np.random.default_rng(seed)
    total = 3 + indirect.num_simulations()
    with Progress(total, "fit", "steps", show=progress_bar) as bar:
        sample = Sample.of(logs, max_streamers, index, impressions)
        _check(logs, sample)
        estimates = watching_estimates(sample.everything) | gift_price_estimates(logs, rng)
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
        world, solution = _match(world, sample, policy, seed, viewer_days, rng, bar.update)
    estimates |= of_solution(solution, len(world.viewers))
    estimates |= room_estimates(logs, len(sample.index.streamer_ids), sample.days, rng)
    estimates |= spread_estimates(world)
    return Fit(
        world=world,
        parameters=estimates | assumed(estimates, world.simulator),
        notes=tuple(sample.notes),
    )


def _match(
    world: World,
    sample: Sample,
    policy: Callable[..., Any],
    seed: int,
    viewer_days: int,
    rng: np.random.Generator,
    progress: Callable[[], object],
) -> tuple[World, indirect.Solution]:
    """Indirect inference on a sample of the viewers, the same ones logged and simulated.

    Returns:
        The world with the parameters found, and how they were.
    """
    count, browse_s = len(world.viewers), world.simulator.browse_s
    chosen = np.sort(rng.permutation(count)[: max(10, viewer_days // sample.days)])
    with_negatives = not sample.everything["click"].all()
    logged, wanted = sample.playable(chosen)
    streamers = world.streamers  # as popular as simulations so far suggest
    shown = np.zeros(len(streamers), np.int64)  # in the last one

    def table(impressions: np.ndarray) -> dict[str, np.ndarray]:
        sums = indirect.sums(impressions, count, browse_s)
        return {name: values[chosen] for name, values in sums.items()}

    def made(parameters: Mapping[str, float]) -> World:
        simulator = {n: value for n, value in parameters.items() if n in SimulatorConfig.names()}
        spread = parameters.get("activity_log_std", WorldConfig().activity_log_std)
        return dataclasses.replace(
            world,
            viewers=with_activity_spread(world.viewers, spread),
            streamers=streamers,
            simulator=world.simulator.replace(simulator),
        )

    def simulate(parameters: Mapping[str, float]) -> dict[str, np.ndarray]:
        nonlocal shown
        impressions = simulate_world_impressions(
            made(parameters), policy, chosen, sample.days, seed
        )
        progress()
        if not with_negatives:
            impressions = impressions[impressions["click"]]
        shown = np.bincount(impressions["streamer"], minlength=len(streamers))
        return table(impressions)

    def adapt() -> None:
        nonlocal streamers
        streamers = with_popularity(streamers, wanted, shown)

    start = WorldConfig().to_dict() | world.simulator.to_dict()
    solution = indirect.solve(table(logged), simulate, start, rng, adapt=adapt)
    found = dict(zip(solution.names, solution.values.tolist(), strict=True))
    return made(found), solution


def _check(logs: Logs, sample: Sample) -> None:
    """Raise ``ValueError`` for a log that is too small for a world."""
    live = logs.room["end_timestamp"] - logs.room["start_timestamp"] >= 1000 * MIN_ROOM_S
    streamers = sample.index.streamer_ids[sample.streamers]
    count = int(np.isin(streamers, logs.room["streamer_id"].to_numpy()[live]).sum())
    if count < FEWEST_STREAMERS:
        raise ValueError(
            f"logs: only {count} of the streamers shown have a room of at least {MIN_ROOM_S:g} s; "
            f"a world needs {FEWEST_STREAMERS}, as many as there are candidates"
        )
    if len(sample.viewers) < FEWEST_VIEWERS:
        raise ValueError(
            f"logs: only {len(sample.viewers)} users have impressions; a world needs "
            f"{FEWEST_VIEWERS} to tell what is chance"
        )
