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
    assert "<td><code>a&amp;b</code></td>\n<td class=number>12.25</td>" in page
    assert page.startswith('<div class="wide"><table>') and page.endswith("</table></div>")
    assert page.count("<tr>") == 3 and page.count("<th>agent</th>") == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("## Two *words*", "<h3>Two <em>words</em></h3>"),
        ("one\ntwo\n\nthree", "<p>one\ntwo</p>\n<p>three</p>"),
        ("- a\n- **b**\n  c", "<ul>\n<li>a</li>\n<li><strong>b</strong>\nc</li>\n</ul>"),
        ("```\n# <x>\n\ny\n```\nz", "<pre><code># &lt;x&gt;\n\ny\n</code></pre>\n<p>z</p>"),
        ("see [it](https://x.org/a_b)", '<p>see <a href="https://x.org/a_b">it</a></p>'),
        ("[it](javascript:alert(1))", "<p>[it](javascript:alert(1))</p>"),
        ("[it](data:text/html,x)", "<p>[it](data:text/html,x)</p>"),
        ("[it](#there)", '<p><a href="#there">it</a></p>'),
        ("![it](https://x.org)", '<p>!<a href="https://x.org">it</a></p>'),
        ("###### deep", "<h6>deep</h6>"),
        ("<script>x</script>", "<p>&lt;script&gt;x&lt;/script&gt;</p>"),
        ("<a>`<b>`**<i>**", "<p>&lt;a&gt;<code>&lt;b&gt;</code><strong>&lt;i&gt;</strong></p>"),
    ],
)
def test_html(text, expected):
    assert to_html(text) == expected
