from livestream_env.decisions.schema import COLUMNS
from livestream_env.world import ROOM_DTYPE, streamer_dtype, viewer_dtype
from scripts.site.command_lines import command_lines
from scripts.site.environments import sections
from scripts.site.formats import decision_columns, world_tables


def test_every_column_of_a_file_has_a_line() -> None:
    decisions, world = decision_columns(), world_tables()
    assert all(f"| `{name}` | " in decisions for name in COLUMNS)
    for dtype in (viewer_dtype(8, 8), streamer_dtype(8), ROOM_DTYPE):
        assert all(f"| `{name}` | " in world for name in dtype.names)


def test_the_docstring_of_the_environment_has_the_sections_of_its_page() -> None:
    from livestream_env import LiveStreamRecEnv

    assert list(sections(LiveStreamRecEnv)) == [
        "Description", "Action Space", "Observation Space", "Rewards", "Starting State",
        "Episode End", "Info", "Arguments", "Version History"]  # fmt: skip


def test_command_lines_are_found() -> None:
    assert {"compare", "docs", "train"} <= set(command_lines())
    assert "command_line" not in command_lines() and "measuring" not in command_lines()
