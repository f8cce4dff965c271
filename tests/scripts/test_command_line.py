"""What people type: numbers in several forms, names not quite right."""

import argparse

import gymnasium as gym
import pytest

import livestream_env  # noqa: F401
from agents.experiments.suites import selected, suites
from agents.policy import agent_spec
from livestream_env import SimulatorConfig
from livestream_env.arguments import EnvArguments
from livestream_env.settings import hint
from scripts import compare, offline_study, train
from scripts.command_line import command_of, positive_int, whole_number


@pytest.mark.parametrize(
    ("text", "value"),
    [("100000", 100_000), ("100_000", 100_000), ("1e5", 100_000), ("2.5E3", 2_500), ("7.0", 7)],
)
def test_integers_are_taken_as_people_write_them(text: str, value: int) -> None:
    assert whole_number(text) == positive_int(text) == value
    assert train.make_parser().parse_args(["--timesteps", text, "--seed", text]).seed == value
    assert type(positive_int(text)) is int


@pytest.mark.parametrize("text", ["1.5", "1e-3", "many", "inf", "1e999", "nan", "", "1,000"])
def test_what_is_no_integer_is_refused_with_examples(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="100_000 or 1e5, got"):
        whole_number(text)


def test_a_command_is_shown_with_what_was_changed() -> None:
    parser = offline_study.make_parser()
    given = ["--quick", "--sizes", "30_000", "4e4", "--learners", "DQN, γ = 0", "--seeds", "3"]
    names = ("quick", "data", "sizes", "seeds", "learners")
    command = command_of(parser, parser.parse_args(given), names)
    options = "--quick --sizes 30000 40000 --learners 'DQN, γ = 0'"
    assert command == f"python -m scripts.offline_study {options}"


def test_integers_of_a_sign() -> None:
    assert whole_number("-3e0") == -3
    with pytest.raises(argparse.ArgumentTypeError, match="at least 1, got 0"):
        positive_int("0e5")


@pytest.mark.parametrize(
    ("option", "nearest"),
    [
        ("--env", "'--env-id'"),
        ("--timestep", "'--timesteps'"),
        ("--timestep=5", "'--timesteps'"),
        ("--eval_episodes", "'--eval-episodes'"),
    ],
)
def test_a_mistyped_option_is_refused_with_the_nearest(
    option: str, nearest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for parser in (compare.make_parser(), train.make_parser()):
        with pytest.raises(SystemExit):
            parser.parse_args([option, "5"])
        assert f"unrecognized arguments: {option} 5" in (said := capsys.readouterr().err)
        assert f"(did you mean {nearest}?)" in said and "ambiguous" not in said


def test_hint() -> None:
    assert hint("clik_bias", ["click_bias", "exit_bias"]) == " (did you mean 'click_bias'?)"
    assert hint("zzz", ["click_bias"]) == ""


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("dnq", "dqn"),
        ("farsighted-orakle", "farsighted-oracle"),
        ("dqn?doubel=false", "double"),
        ("linucb?alhpa=1", "alpha"),
        ("sb3-ppo?gama=0.9", "gamma"),
        ("agents.rules.baselines:LinUBC", "LinUCB"),
    ],
)
def test_agents_and_their_settings(name: str, nearest: str) -> None:
    with pytest.raises(ValueError, match=f"did you mean '{nearest}'"):
        agent_spec(name).make(gym.make("LiveStreamRec-v0"), seed=0)


@pytest.mark.parametrize(
    ("arguments", "error", "nearest"),
    [
        ({"num_candidate": 5}, TypeError, "num_candidates"),
        ({"config": {"clik_bias": 1}}, ValueError, "click_bias"),
        ({"reward_weights": {"likes": 1}}, ValueError, "like"),
    ],
)
def test_arguments_of_the_environment(
    arguments: dict, error: type[Exception], nearest: str
) -> None:
    with pytest.raises(error, match=f"did you mean '{nearest}'"):
        gym.make("LiveStreamRec-v0", **arguments)
    with pytest.raises(error, match=f"did you mean '{nearest}'"):
        gym.make_vec("LiveStreamRec-v0", 2, vectorization_mode="vector_entry_point", **arguments)


def test_settings_of_a_group() -> None:
    with pytest.raises(TypeError, match=r"no parameter 'clik_bias' \(did you mean 'click_bias'"):
        SimulatorConfig(clik_bias=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="did you mean 'horizon'"):
        EnvArguments(horizons=1)  # type: ignore[call-arg]


def test_ids_and_suites() -> None:
    with pytest.raises(gym.error.NameNotFound, match="Did you mean: `LiveStreamRecWeek`"):
        gym.make("LiveStreamRecWek-v0")
    with pytest.raises(ValueError, match="did you mean 'v0-agents'"):
        selected(suites(), ["v0-agent"])
