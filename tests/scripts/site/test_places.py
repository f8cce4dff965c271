from pathlib import Path

import pytest

from scripts.site.places import DOCS, REPOSITORY, ROOT, outside_code, place_of, with_links


@pytest.mark.parametrize(
    ("path", "place"),
    [("docs/benchmark.md", "benchmark.md"), ("docs/tutorials/tour.py", "tutorials/tour.md"),
     ("CONTRIBUTING.md", "project/contributing.md"),
     ("docs/images/scores.png", "images/scores.png"),
     ("README.md", None), ("agents/policy.py", None)],
)  # fmt: skip
def test_a_file_has_its_place_in_the_site(path: str, place: str | None) -> None:
    assert place_of(ROOT / path) == place


@pytest.mark.parametrize(
    ("link", "there"),
    [("benchmark.md", "../benchmark.md"), ("benchmark.md#protocol", "../benchmark.md#protocol"),
     ("tutorials/tour.py", "../tutorials/tour.md"), ("../data/README.md", "../reference/data.md"),
     ("../agents/policy.py", f"{REPOSITORY}/blob/main/agents/policy.py"),
     ("../data/sample_log", f"{REPOSITORY}/tree/main/data/sample_log"),
     ("#here", "#here"), ("https://example.org/a", "https://example.org/a")],
)  # fmt: skip
def test_a_link_leads_to_the_same_from_the_page_in_the_site(link: str, there: str) -> None:
    page = with_links(f"[a]({link}) `[b](no.md)`", DOCS / "index.md", "project/index.md")
    assert page == f"[a]({there}) `[b](no.md)`"


def test_a_link_to_nothing_is_named() -> None:
    with pytest.raises(ValueError, match=r"docs/index\.md links to nothing\.md, which is no file"):
        with_links("[a](nothing.md)", DOCS / "index.md", "index.md")


def test_code_is_left_alone() -> None:
    text = "a `a` a\n```python\na\n```\na"
    assert outside_code(text, lambda part: part.replace("a", "b")) == (
        "b `a` b\n```python\na\n```\nb"
    )


def test_every_generated_part_of_a_page_is_written_by_somebody() -> None:
    written = "\n".join(p.read_text("utf-8") for p in (ROOT / "scripts" / "site").glob("*.py"))
    for page in DOCS.rglob("*.md"):
        for line in page.read_text("utf-8").splitlines():
            if line.startswith("<!-- generated: "):
                part = Path(line.split()[2])
                assert f'"{part}"' in written or f'f"{part.parent}/{{page}}"' in written, part
