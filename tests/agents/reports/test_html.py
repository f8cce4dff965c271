"""The page: what is in the file; and, where there is a Chromium, what a browser makes of it."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from agents.experiments.replay import record
from agents.reports.html import Section, figure, markdown, side_by_side, write_html
from agents.reports.plots import draw_curves, draw_profiles, draw_scores, to_svg
from agents.reports.statistics import Estimate, performance_profile
from agents.rules.oracles import FarsightedOracle, GreedyOracle

EVIL = "</script><script>alert('x:y')</script>"
VOID = {"meta", "input", "br", "hr", "img", "link"}


@pytest.fixture(scope="module")
def figures():
    rng = np.random.default_rng(0)
    curves = pd.DataFrame(
        [
            {"agent": agent, "seed": seed, "timesteps": 100 * k, "cpu_s": k / 7, "reward": k + seed}
            for agent in ("dqn", EVIL)
            for seed in range(3)
            for k in range(5)
        ]
    )
    scores = {name: Estimate(x, x - 1, x + 1) for x, name in enumerate(("random", "dqn", EVIL))}
    thresholds = np.linspace(0, 3, 50)
    profiles = {name: performance_profile(rng.normal(2, 1, (5, 1)), thresholds) for name in scores}
    return {
        "curves": draw_curves(curves, {"random": 1.0}),
        "scores": draw_scores(scores, "random", "dqn"),
        "profile": draw_profiles(thresholds, profiles, {"random": 1.0}),
    }


@pytest.fixture(scope="module")
def page(figures, tmp_path_factory):
    kwargs = {"horizon": "visit"}
    recordings = {
        EVIL: record(GreedyOracle(), env_kwargs=kwargs, seed=5),
        "farsighted-oracle": record(FarsightedOracle(), env_kwargs=kwargs, seed=5),
    }
    sections = [
        Section("Scores & " + EVIL, markdown(f"| agent |\n| ----- |\n| `{EVIL}` |\n\n{EVIL}")),
        Section("Plots", "".join(figure(f, name, EVIL) for name, f in figures.items())),
        Section("Replay", side_by_side(recordings)),
    ]
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_html(path, EVIL, sections, EVIL)
    return path


class Reader(HTMLParser):
    """Checks nesting and collects what the tests ask for."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.tags, self.data = [], [], [], []
        self.addresses = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        for name, value in attributes:
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href", "xlink:href", "action", "data"):
                self.addresses.append(value)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] == ["script"]:
            self.data.append(data)


def test_page_is_one_well_formed_file(page):
    text = page.read_text(encoding="utf-8")
    reader = Reader(text)
    assert len(reader.ids) == len(set(reader.ids))
    assert reader.tags.count("svg") == reader.tags.count("figure") == 3
    assert reader.tags.count("script") == 2  # the data and ours: nobody's name became a third
    assert not {"link", "img", "iframe", "object", "embed"} & set(reader.tags)
    assert all(re.fullmatch(r"#[\w-]+", address) for address in reader.addresses)
    assert {address[1:] for address in reader.addresses} <= set(reader.ids)
    assert all(name in reader.ids for name in re.findall(r"url\(#([^)]+)\)", text))
    # The namespace that scripts make SVG elements with is the only address, and never asked for.
    assert re.findall(r"https?://[^\"']+", text) == ["http://www.w3.org/2000/svg"]


def test_data_of_the_replay(page):
    plays = json.loads(Reader(page.read_text(encoding="utf-8")).data[0])
    assert [play["agent"] for play in plays] == [EVIL, "farsighted-oracle"]
    assert all(play["impressions"] for play in plays)


def test_svg_is_the_same_again_and_takes_the_page_s_colours(figures):
    svg = to_svg(figures["scores"], "scores")
    assert svg == to_svg(figures["scores"], "scores")
    assert "currentColor" in svg and "var(--grid)" in svg and "#000000" not in svg
    assert "reward per viewer-day" in svg and "&lt;script&gt;" in svg


def test_names_of_figures(figures):
    with pytest.raises(ValueError, match="name must be a letter"):
        figure(figures["scores"], 'a"b', "caption")


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_browser(page, browser, scheme):
    tab = browser.new_context(color_scheme=scheme).new_page()
    problems, requests = [], []
    tab.on("console", lambda message: problems.append(message.text))
    tab.on("pageerror", lambda error: problems.append(str(error)))
    tab.on("dialog", lambda dialog: problems.append(dialog.message))
    tab.on("request", lambda request: requests.append(request.url))
    tab.goto(page.as_uri())
    for name in ("curves", "scores", "profile"):
        box = tab.locator(f"#{name} svg").bounding_box()
        assert box["width"] > 300 and box["height"] > 100
    assert tab.locator(".chart").count() == 2

    plays = json.loads(Reader(page.read_text(encoding="utf-8")).data[0])
    panels = [tab.locator(".play").nth(i) for i in range(2)]
    for label, place in (("next impression", 1), ("last impression", -1), ("first impression", 0)):
        tab.get_by_label(label).click()
        for play, panel in zip(plays, panels, strict=True):
            assert play["agent"] in panel.inner_text()
            one = play["impressions"][min(place, len(play["impressions"]) - 1)]
            assert f"{one['total']:.2f}" == panel.locator(".total").inner_text()
            shown = panel.locator("tr.shown td").nth(1).inner_text()
            assert shown.split()[0] == str(one["cards"][one["shown"]]["streamer"])
    tab.get_by_label("go forward by").select_option("clock")
    tab.get_by_label("last impression").click()
    for play, panel in zip(plays, panels, strict=True):
        assert panel.locator(".total").inner_text() == f"{play['impressions'][-1]['total']:.2f}"

    ink, paper = tab.evaluate(
        "[getComputedStyle(document.querySelector('#scores svg text')).fill,"
        " getComputedStyle(document.body).backgroundColor]"
    )
    brightness = [sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in (ink, paper)]
    assert (brightness[0] < brightness[1]) == (scheme == "light")
    assert problems == [] and requests == [page.as_uri()]
