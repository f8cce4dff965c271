"""What is missing without an extra is said with the command that installs it."""

import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from livestream_env.extras import MissingExtraError, needs

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"][
    "optional-dependencies"
]
RENDER = "gym.make('LiveStreamRec-v0', render_mode='rgb_array')"
# Extra, module that is not installed, what somebody does without it.
CASES = [
    ("logs", "pandas", "from livestream_env.logs import read_logs"),
    ("logs", "pyarrow", "import livestream_env.logs.schema"),
    ("logs", "pyarrow", "from livestream_env.simulated_logs.export import export_log"),
    ("logs", "pyarrow", "import livestream_env.simulated_logs.kuailive_tables"),
    ("logs", "scipy", "from livestream_env.calibration import fit"),
    ("minari", "minari", "import livestream_env.decisions.minari_dataset"),
    ("sb3", "stable_baselines3", "import livestream_env.sb3_vec_env"),
    ("sb3", "stable_baselines3", "from agents.sb3.dqn import SB3DQN"),
    ("sb3", "sb3_contrib", "agent_spec('sb3-ppo').make(env(), seed=0)"),
    ("agents", "torch", "from agents.dqn import DQN"),
    ("agents", "safetensors", "agent_spec('dqn').make(env(), seed=0)"),
    ("agents", "torch", "agent_spec('farsighted').make(env(), seed=0)"),
    ("agents", "scipy", "agent_spec('linucb').make(env(), seed=0)"),
    ("agents", "matplotlib", "import scripts.compare as s; s.main(['--agents', 'random'])"),
    ("agents", "markdown_it", "import scripts.benchmark as s; s.main(['--report-only'])"),
    ("agents", "tensorboard", "import scripts.train as s; s.main(['--timesteps', '300'])"),
    ("sklearn", "sklearn", "import scripts.click_model as s; s.main(['--viewers', '8'])"),
    ("tune", "optuna", "import scripts.tune as s; s.main(['--agent', 'dqn'])"),
    ("export", "onnxruntime", "from agents.export import OnnxPolicy"),
    ("export", "onnxscript", "from agents.export import export_policy"),
    ("ray", "ray", "import agents.experiments.ray_workers"),
    ("render", "PIL", f"screen = {RENDER}; screen.reset(); screen.render()"),
]
PROGRAM = """
import sys
sys.modules[sys.argv[1]] = None
import gymnasium as gym
import livestream_env
from agents.policy import agent_spec
env = lambda: gym.make("LiveStreamRec-v0")
exec(sys.argv[2])
"""


@pytest.mark.parametrize(("extra", "module", "code"), CASES)
def test_a_missing_extra_is_named(extra: str, module: str, code: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, module, code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    *_, last = done.stderr.strip().splitlines()
    assert f"pip install 'livestream-env[{extra}]'" in last, done.stderr
    assert module in last.lower().replace("pillow", "PIL")


def test_every_extra_has_a_case_and_a_line_on_the_page_that_installs() -> None:
    users = set(EXTRAS) - {"dev", "docs"}
    assert {extra for extra, *_ in CASES} == users
    page = (ROOT / "docs" / "start.md").read_text("utf-8")
    for extra in users | {"docs"}:
        assert f"| `{extra}` |" in page, extra


def test_only_others_modules_are_of_an_extra() -> None:
    with pytest.raises(MissingExtraError, match=r"^who needs no_such: .*'livestream-env\[logs\]'"):
        with needs("agents", "outer"), needs("logs", "who"):
            importlib.import_module("no_such.thing")
    with pytest.raises(ModuleNotFoundError) as caught, needs("logs", "who"):
        importlib.import_module("livestream_env.no_such")
    assert not isinstance(caught.value, MissingExtraError)


@pytest.mark.parametrize("package", ["livestream_env", "agents.dqn", "agents.export"])
def test_names_of_a_package_are_imported_when_asked_for(package: str) -> None:
    """And none of its modules before."""
    program = f"""
import sys, {package} as package
before = set(sys.modules)
assert {{"__name__", *package.__all__}} <= set(dir(package))
assert not hasattr(package, "NoSuchName")
assert before == set(sys.modules)
assert all(getattr(package, name).__name__ == name for name in package.__all__)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_pin_is_of_one_package() -> None:
    """Two of one package, and nothing can be installed."""
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    names = [line.partition("==")[0].lower() for line in lines if not line.startswith("#")]
    assert sorted(set(names)) == sorted(names)
