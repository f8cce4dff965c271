import pytest

from agents.reports.markdown import estimate_text, markdown_table, to_html
from agents.reports.statistics import Estimate


def test_estimates():
    assert estimate_text(Estimate(1.234, -0.5, 2)) == "1.23 [−0.50, 2.00]"
    assert estimate_text(Estimate(1, -1, 2), sign="+", digits=0) == "+1 [−1, +2]"


def test_table_as_markdown_and_as_html():
    lines = markdown_table(["agent", "reward"], [["`dqn`", "1.5"], ["`a&b`", "12.25"]])
    assert lines[0] == "| agent | reward |" and lines[1] == "| ----- | -----: |"
    assert len({len(line) for line in lines}) == 1
    page = to_html("\n".join(lines))
    assert "<td><code>a&amp;b</code></td><td class=number>12.25</td>" in page
    assert page.count("<tr>") == 3 and page.count("<th>agent</th>") == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("## Two *words*", "<h3>Two *words*</h3>"),
        ("one\ntwo\n\nthree", "<p>one two</p>\n<p>three</p>"),
        ("- a\n- **b**\n  c", "<ul><li>a</li><li><strong>b</strong>\n  c</li></ul>"),
        ("```\n# <x>\n\ny\n```\nz", "<pre><code># &lt;x&gt;\n\ny</code></pre>\n<p>z</p>"),
        ("see [it](https://x.org/a_b)", '<p>see <a href="https://x.org/a_b">it</a></p>'),
        ("[it](javascript:alert(1))", "<p>[it](javascript:alert(1))</p>"),
        ("<a>`<b>`**<i>**", "<p>&lt;a&gt;<code>&lt;b&gt;</code><strong>&lt;i&gt;</strong></p>"),
    ],
)
def test_html(text, expected):
    assert to_html(text) == expected
