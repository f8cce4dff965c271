"""The page of the architecture says what the code is."""

from __future__ import annotations

from pathlib import Path

import pytest

import scripts.architecture
from scripts.architecture import (
    BEGIN,
    END,
    LAYERS,
    PAGE,
    ROOT,
    part_imports,
    picture,
    read_imports,
    with_picture,
)


def test_the_page_has_the_picture_that_the_code_gives() -> None:
    page = PAGE.read_text(encoding="utf-8")
    again = with_picture(page, picture(read_imports(ROOT)))
    assert page == again, "run: python -m scripts.architecture --write"


def test_the_page_describes_every_part() -> None:
    text = PAGE.read_text(encoding="utf-8").partition(END)[2]
    for part in (part for layer in LAYERS for part in layer):
        for module in part.modules:
            assert f"`{module.rpartition('.')[2]}`" in text, module


def test_arrows_lead_from_what_is_used_to_who_uses_it_and_longer_ways_replace_them(
    tmp_path: Path,
) -> None:
    for path, source in {
        "livestream_env/config.py": "",
        "livestream_env/world/world.py": "import livestream_env.config",
        "livestream_env/simulator/kernel.py": (
            "import livestream_env.config\nimport livestream_env.world.world"
        ),
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(source, encoding="utf-8")
    imports = read_imports(tmp_path)
    assert part_imports(imports)["simulator"] == {"names", "world"}
    arrows = [line.strip() for line in picture(imports).splitlines() if "-->" in line]
    assert arrows == ["names --> world", "world --> simulator"]


def test_imports_against_the_rule_are_not_drawn(tmp_path: Path) -> None:
    folder = tmp_path / "livestream_env"
    folder.mkdir()
    (folder / "config.py").write_text("import livestream_env.env", encoding="utf-8")
    (folder / "env.py").write_text("", encoding="utf-8")
    with pytest.raises(ValueError, match="names is not above faces"):
        picture(read_imports(tmp_path))


def test_write_changes_the_marked_place_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "architecture.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    monkeypatch.setattr(scripts.architecture, "PAGE", page)
    monkeypatch.setattr(scripts.architecture, "picture", lambda imports: "new")
    assert scripts.architecture.main(["--write"]) == 0
    assert page.read_text(encoding="utf-8") == f"before\n{BEGIN}\nnew\n{END}\nafter\n"


def test_a_page_without_the_marks_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "architecture.md"
    page.write_text("nothing", encoding="utf-8")
    monkeypatch.setattr(scripts.architecture, "PAGE", page)
    assert scripts.architecture.main(["--write"]) == 1
    assert "the page must have the lines" in capsys.readouterr().err
    assert page.read_text(encoding="utf-8") == "nothing"
