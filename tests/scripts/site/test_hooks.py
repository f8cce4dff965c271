from types import SimpleNamespace

import pytest

pytest.importorskip("latex2mathml")
pytest.importorskip("mkdocs")

from mkdocs.exceptions import PluginError

from scripts.site import hooks


def page(place):
    return SimpleNamespace(file=SimpleNamespace(src_uri=place))


def test_formulas_are_drawn_by_the_browser():
    made = hooks.on_page_content(
        '<p>If <span class="arithmatex">\\(a &lt; b\\)</span></p>'
        '<div class="arithmatex">\\[\\left\\lceil x \\right\\rceil\\]</div>',
        None, None, None,
    )  # fmt: skip
    assert made.startswith("<p>If <math") and made.count("</math>") == 2
    assert made.count('<div class="formula">') == 1 and "arithmatex" not in made


def test_formulas_beside_each_other_may_stand_below_each_other():
    made = hooks.on_page_content(
        '<div class="arithmatex">\\[\\ln x \\sim N, \\qquad \\ln(y)\\]</div>', None, None, None
    )
    assert made.count("<math") == 2 and made.count('<div class="formula">') == 1
    assert "<mi>ln</mi><mspace" in made and "<mi>ln</mi><mo" in made
    assert "<mo>&#x0223C;</mo>" in made


@pytest.mark.parametrize("formula", ["\\nosuchsign x", "\\begin{aligned} a &amp; b \\end{aligned}"])
def test_a_formula_that_cannot_be_made_is_named(formula):
    with pytest.raises(PluginError, match="the formula"):
        hooks.on_page_content(f'<span class="arithmatex">\\({formula}\\)</span>', None, None, None)


def test_generated_parts_are_put_in_or_missed_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(hooks, "GENERATED", tmp_path)
    text = "Before.\n\n<!-- generated: a/part -->\n"
    with pytest.raises(PluginError, match=r"part\.md is missing: python -m scripts\.docs"):
        hooks.on_page_markdown(text, page("start.md"), None, None)
    (tmp_path / "parts" / "a").mkdir(parents=True)
    (tmp_path / "parts" / "a" / "part.md").write_text("A [link](there.md).", "utf-8")
    made = hooks.on_page_markdown(text, page("start.md"), None, None)
    assert made == "Before.\n\nA [link](there.md).\n"


def test_a_page_from_elsewhere_has_its_own_links():
    text = "[map](docs/architecture.md)"
    made = hooks.on_page_markdown(text, page("project/contributing.md"), None, None)
    assert made == "[map](../architecture.md)"
