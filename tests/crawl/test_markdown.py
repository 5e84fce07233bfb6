"""Pages become exactly the Markdown beside them, and text survives the way there and back."""

import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from selectolax.lexbor import LexborHTMLParser

from quaero.crawl.addresses import Addresses
from quaero.crawl.extract import extract
from quaero.crawl.markdown import to_markdown

PAGES = Path(__file__).parent / "pages"
NAMES = sorted(path.stem for path in PAGES.glob("*.html"))
READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def page(name):
    body = (PAGES / f"{name}.html").read_bytes()
    return extract(body, f"https://docs.example.org/guide/{name}.html", "text/html; charset=utf-8")


def convert(html):
    node = LexborHTMLParser(html, scripting=True).body
    return to_markdown(node.html, Addresses("https://docs.example.org/guide/page.html"))


def escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def wrap(names, html):
    for name in names:
        html = f"<{name}{' href=x' if name == 'a' else ''}>{html}</{name}>"
    return html


def read_back(markdown):
    return " ".join(LexborHTMLParser(READER.render(markdown)).body.text().split())


@pytest.mark.parametrize("name", NAMES)
def test_a_page_becomes_exactly_its_markdown(name):
    assert page(name).markdown == (PAGES / f"{name}.md").read_text("utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_markdown_is_normalised(name):
    markdown = page(name).markdown
    assert markdown.endswith("\n")
    assert not markdown.endswith("\n\n")
    assert not re.search(r"[ \t]$", markdown, re.MULTILINE)
    outside_of_code = re.sub(r"(?ms)^ *(`{3,}).*?^ *\1$", "code", markdown)
    assert "\n\n\n" not in outside_of_code
    assert "¶" not in markdown


CASES = [
    ("<p>a*b</p>", r"a\*b"),
    ("<p>a * b _ c</p>", "a * b _ c"),
    ("<p>snake_case __x__</p>", r"snake_case \_\_x\_\_"),
    ("<p>1. one</p>", r"1\. one"),
    ("<p>2025. x</p>", r"2025\. x"),
    ("<p>1.5 x</p>", "1.5 x"),
    ("<p>-x</p>", "-x"),
    ("<p>-- x</p>", "-- x"),
    ("<p>&amp;lt; AT&amp;T a&amp;b;</p>", r"\&lt; AT&T a\&b;"),
    ("<p>a &lt; b &lt;c&gt;</p>", r"a < b \<c>"),
    ("<p>x[0] [a](b) [c][d]</p>", r"x[0] [a\](b) [c\][d]"),
    ("<p>C:\\dir C:\\*</p>", r"C:\dir C:\\\*"),
    ("<p>a<br>b</p>", "a\\\nb"),
    ("<p>a<br></p>", "a"),
    ("<p>a<br/><br/>b</p>", "a\n\nb"),
    ("<p><b>a<br></b>b</p>", "**a**\\\nb"),
    ("<p>wow!<a href='x'>y</a></p>", r"wow\![y](https://docs.example.org/guide/x)"),
    ("<p><a href='x'>]:</a></p>", r"[\]:](https://docs.example.org/guide/x)"),
    ("<p>[a]: b</p>", r"\[a]: b"),
    (r"<p><a href='x'>C:\[\</a></p>", r"[C:\\\[\\](https://docs.example.org/guide/x)"),
    (r"<p><a href='x'>[a\](b)</a></p>", r"[\[a\\\](b)](https://docs.example.org/guide/x)"),
    ("<ul><li>a<li><hr><li>b<li><hr>c</ul>", "- a\n- b\n- c"),
    ("<p><b>x</b>y</p>", "**x**y"),
    ("<p><b>x:</b>y</p>", "x:y"),
    ("<p><b>x:</b> y</p>", "**x:** y"),
    ("<p><b> </b><i></i><a href='x'> </a>z</p>", "z"),
    ("<p><code>a</code><code>b</code></p>", "`ab`"),
    ("<p><code>`</code></p>", "`` ` ``"),
    (
        "<p><code>list[</code><a href='x'><code>str</code></a><code>]</code></p>",
        "`list[`[`str`](https://docs.example.org/guide/x)`]`",
    ),
    ("<p>`<i><code>*</code></i></p>", r"\`*\**"),
    ("<p><a href='x'>`<code>]</code></a></p>", r"[\`\]](https://docs.example.org/guide/x)"),
    (
        "<p><a href='x'><code>a[k]: v</code></a></p>",
        "[`a[k]: v`](https://docs.example.org/guide/x)",
    ),
    ("<p>[a[k]: v</p>", "[a[k]: v"),
    ("<p>x<sup>2</sup> x<sup>a+b</sup> 1<sup>st</sup> H<sub>2</sub>O</p>", "x^2 x^(a+b) 1st H_2O"),
    ("<p>T<sub>c</sub> V<sub>e</sub> 5<sup>th</sup></p>", r"T_c V_e 5th"),
    ("<p>x<sup><a href='#f'>[1]</a></sup></p>", "x[1]"),
    ("<p>x<a class='footnote-ref' href='#f'><sup>1</sup></a></p>", "x[1]"),
    ("<p>77<a class='footnote' href='#f'><sup>1</sup></a></p>", "77[1]"),
    ("<p>77<a href='#f'><sup>1</sup></a></p>", "77[1]"),
    ("<p>77<sup><a href='#f'>1</a></sup></p>", "77[1]"),
    ("<p>x<sup>[<a href='#f'>1</a>]</sup></p>", "x[1]"),
    ("<p>x<sup><a href='#exponent'>n</a></sup></p>", "x^n"),
    ("<h2>Title <a href='#t'>#</a></h2>", "## Title"),
    ("<h2><a href='page.html#t'>§</a> Title</h2>", "## Title"),
    ("<h3>a<br>b</h3>", "### a b"),
    ("<h3>#</h3><h2>a ##</h2><h2>C#</h2>", "### \\#\n\n## a \\##\n\n## C#"),
    ("<ol><li>a<ol><li>b</ol></ol>", "1. a\n   1. b"),
    ("<ol><li>a<ol start=3><li>b</ol></ol>", "1. a\n\n   3. b"),
    ("a | b<br>--- | ---<br>c", "a | b\\\n--- | ---\\\nc"),
    ("a | b<br>--- | :-:", "a | b\\\n\\--- | :-:"),
    ("<h1></h1><h2> </h2>", ""),
    ("<ul><li></li></ul>", ""),
    ("<table><tr><td></td></tr></table>", ""),
    ("<table><tr><td>one</td></tr></table>", "one"),
    ("<table><tr><td><th>A<tr><th>x<td>1</table>", "| | A |\n| --- | --- |\n| x | 1 |"),
    ("<table><tr><th>A<td><tr><th>B<td>1</table>", "| | |\n| --- | --- |\n| A | |\n| B | 1 |"),
    ("<blockquote><pre>a\n\nb</pre></blockquote>", "> ```\n> a\n>\n> b\n> ```"),
    ("<pre class='language-C++'>x</pre>", "```cpp\nx\n```"),
    ("<div class=mermaid>graph TD\n  A --&gt; B</div>", "```mermaid\ngraph TD\n  A --> B\n```"),
    ("<pre class=mermaid>pie\n  x</pre>", "```mermaid\npie\n  x\n```"),
    ("<pre>a\u200bb&nbsp;c</pre>", "```\nab c\n```"),
    ("<ol start='-3'><li>a</li></ol>", "1. a"),
    ("<ol start='99999999999'><li>a</li></ol>", "1. a"),
    ("<p>a\x01\x02\x0eb&#3;c</p>", "abc"),
    ("text <div>block</div> tail", "text\n\nblock\n\ntail"),
    ("<img src='a.png'>", "![](https://docs.example.org/guide/a.png)"),
    ("<svg><source>x</source><a href='q'>y</a></svg>z", "z"),
    ("<td>cell</td><tr>row</tr>", "cellrow"),
]


@pytest.mark.parametrize(("html", "markdown"), CASES)
def test_markup_is_written_as(html, markdown):
    assert convert(html).text == (f"{markdown}\n" if markdown else "")


def test_headings_are_listed_without_marks():
    html = "<h1>A <code>b</code></h1><h3>c <i>d</i> <a href='x'>e</a></h3>"
    assert convert(html).headings == [(1, "A b"), (3, "c d e")]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text(alphabet="ab 1.)-+*_`~#>=![]()<&;:/\\|\"'{}$^é中\n", max_size=40))
def test_a_reader_of_markdown_reads_a_paragraph_as_it_was(text):
    markdown = convert(f"<p>{escape(text)}</p>").text
    assert read_back(markdown) == " ".join(text.split())


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.text(alphabet="a -|:=#>1.+", min_size=1, max_size=8), min_size=2, max_size=3))
@example(["a | b", "--- | ---"])
def test_a_reader_of_markdown_reads_broken_lines_as_they_were(lines):
    markdown = convert(f"<p>{'<br>'.join(map(escape, lines))}</p>").text
    assert read_back(markdown) == " ".join(" ".join(lines).split())


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "b", "i", "code", "del", "b i", "i b", "a"]),
            st.text(alphabet='ab "*_`.(é[]!中', max_size=8),
        ),
        max_size=6,
    )
)
def test_a_reader_of_markdown_reads_marked_text_as_it_was(parts):
    html = "".join(wrap(names.split(), escape(text)) for names, text in parts)
    expected = "".join(text for _, text in parts)
    assert read_back(convert(f"<p>{html}</p>").text) == " ".join(expected.split())


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.lists(
        st.text(alphabet="a b|`*\\\n<>-", max_size=12),
        min_size=2,
        max_size=4,
    )
)
def test_a_reader_of_markdown_reads_cells_as_they_were(cells):
    row = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    head = "".join(f"<th>h{n}</th>" for n in range(len(cells)))
    rendered = READER.render(convert(f"<table><tr>{head}</tr><tr>{row}</tr></table>").text)
    read = [" ".join(td.text().split()) for td in LexborHTMLParser(rendered).css("td")]
    expected = [" ".join(cell.split()) for cell in cells]
    assert read == (expected if any(expected) else [])


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text(alphabet="a `~\n\t<&*#", max_size=40))
def test_a_reader_of_markdown_reads_code_as_it_was(code):
    rendered = READER.render(convert(f"<ul><li><pre>\n{escape(code)}</pre></li></ul>").text)
    node = LexborHTMLParser(rendered).css_first("pre")
    lines = [line.rstrip() for line in code.split("\n")]
    read = node.text().split("\n")[:-1] if node is not None else []
    assert [line.expandtabs(4) for line in read] == [
        line.expandtabs(4) for line in "\n".join(lines).strip("\n").split("\n") if any(lines)
    ]


def test_deep_nesting_is_flattened_rather_than_indented_for_ever():
    depth = 300
    html = "<ul><li>x" * depth + "</li></ul>" * depth + "<blockquote>" * depth + "y"
    markdown = convert(html).text
    assert markdown.count("x") == depth
    assert max(map(len, markdown.split("\n"))) < 60


def test_a_wide_span_does_not_make_a_wide_table():
    html = (
        "<table><tr><td colspan=1000 rowspan=65534>a</td><td>b</td></tr><tr><td>c</td></tr></table>"
    )
    assert len(convert(html).text) < 1000
