from pathlib import Path

import pytest

from livestream_env.files import atomic_path, write_text


def test_replaces_only_when_all_is_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.txt"
    write_text(path, "first")
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        temporary.write_text("half")
        assert path.read_text() == "first" and temporary.suffix == ".txt"
        raise RuntimeError
    assert path.read_text() == "first"
    assert list(path.parent.iterdir()) == [path]
    write_text(path, "second")
    assert path.read_text() == "second"
    assert path.stat().st_mode & 0o777 == 0o644
