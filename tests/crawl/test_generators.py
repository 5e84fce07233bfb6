"""What generators of documentation write in ways of their own becomes what it means."""

import pytest
from selectolax.lexbor import LexborHTMLParser

from quaero.crawl.addresses import Addresses
from quaero.crawl.markdown import to_markdown


def convert(html):
    node = LexborHTMLParser(html, scripting=True).body
    return to_markdown(node.html, Addresses("https://docs.example.org/guide/page.html")).text


DOXYGEN_CODE = """<div class="fragment"><div class="line"><span class="lineno">    1</span>\
<span class="keyword">if</span> (x) {</div>
<div class="line"><a id="l00002"></a><span class="lineno">    2</span>  y();</div>
<div class="line"><span class="lineno">    3</span> </div>
<div class="line"><span class="lineno">    4</span>}</div>
<div class="ttc" id="x"><div class="ttname">y</div></div></div>"""
DOXYGEN_TITLE = """<div class="headertitle"><div class="title">Map Class Reference
<div class="ingroups"><a href="g.html">Core</a></div></div></div>"""
DOXYGEN_MEMBER = """<h2 class="memtitle"><span class="permalink"><a href="#a">◆ </a></span>run()</h2>
<div class="memproto"><table class="memname"><tr><td class="memname">int run </td><td>(</td>
<td class="paramtype">char *&nbsp;</td><td class="paramname"><em>x</em></td><td>)</td></tr></table>
</div>"""
DOXYGEN_LIST = """<table class="memberdecls"><tr><td colspan="2"><h2>Functions</h2></td></tr>
<tr><td>int</td><td><a href="a.html">run</a> (char *x)</td></tr>
<tr><td colspan="2">&nbsp;</td></tr>
<tr><td colspan="2"><h2>Types</h2></td></tr><tr><td>typedef int</td><td>Size</td></tr></table>"""
DOXYGEN_TABLES = """## Functions

| | |
| --- | --- |
| int | [run](https://docs.example.org/guide/a.html) (char \\*x) |

## Types

| | |
| --- | --- |
| typedef int | Size |
"""
CODE_IN_CELL = """<table><tr><th>Code</th><th>Shows</th></tr>
<tr><td><pre>if x:\n    y()</pre></td></tr></table>"""
ARRANGED = """<table><tr><td><h1>T</h1></td></tr>
<tr><td>menu</td><td><p>1</p><p>2</p><p>3</p></td></tr></table>"""
NUMPYDOC = """<dl class="simple"><dt><strong>axis</strong><span class="classifier">int, optional</span>
</dt><dd><p>Which.</p></dd></dl>"""
SPHINX_MATH = r"""<div class="math" id="equation-e"><span class="eqno">(1.2)<a class="headerlink" href="#e">¶</a>
</span>\[a &amp;= b\]</div>"""
MATERIAL_TABS = """<div class="tabbed-labels"><label for="__tabbed_1_1">C</label><label
for="__tabbed_1_2">C++</label></div><div class="tabbed-content"><pre>int</pre></div>"""
VITEPRESS_TABS = """<div class="tabs"><input type="radio" id="a"><label for="a">npm</label><input
type="radio" id="b"><label for="b">yarn</label></div><div class="blocks"><pre>x</pre></div>"""
CLOUD_CODE = """<div class="code-block"><span data-code-lang="python" \
data-ds--code--code-block=""><code class="language-python" style="white-space: pre;"><span \
class="linenumber">1</span><span data-ds--code--row=""><span>def</span><span> f():
</span></span><span class="linenumber">2</span><span>    return 1</span></code></span></div>"""
CLOUD_CODE_IN_CELL = "| | |\n| --- | --- |\n| a | `def f():`<br>`    return 1` |\n"
CLOUD_PANEL = """<div class="ak-editor-panel" data-panel-type="error"><div
class="ak-editor-panel__icon"><span role="img" aria-label="Panel error"><svg></svg></span></div>
<div class="ak-editor-panel__content"><p>Never do so.</p></div></div>"""
CLOUD_TASKS = """<div data-node-type="actionList" data-task-list-local-id=""><div
data-task-local-id="1"><div><span><input type="checkbox" checked=""></span><div
data-component="content"><div>Write</div></div></div></div><div data-task-local-id="2"><div><span>
<input type="checkbox"></span><div data-component="content"><div>Read</div></div></div></div></div>
<div data-node-type="decisionList"><div data-task-local-id="3"><p>Agreed</p></div></div>"""
CLOUD_EMOJI = """<p>Hi <span data-emoji-id="1f389" data-emoji-text="&#x1F389;"><span><img
alt="tada" class="emoji" src="/e.png"></span></span> there</p>"""
SERVER_EMOJI = """<p>Hi <img class="emoticon emoticon-blue-star" src="/e.png" alt="(blue star)"
data-emoji-fallback="&#x1F389;"> <img class="emoticon" src="/tick.svg" alt="(tick)"> <img
class="emoticon" src="/images/icons/emoticons/error.png" alt=""> <a href="http://a.b/">a.b<sup><img
class="rendericon" src="/images/icons/linkext7.gif" alt=""></sup></a></p>"""
SERVER_CODE = """<div class="codeHeader panelHeader"><b>a.sh</b><span class="collapse-source \
expand-control" style="display:none;"><span>Expand source</span></span></div><div class="panelContent">
<div class="syntaxhighlighter bash"><div class="toolbar"><span><a href="#" class="toolbar_item">?</a>
</span></div><table><tr><td class="gutter"><div>1</div></td><td class="code"><div>
<div class="line number1"><code class="bash plain">set -e</code></div></div></td></tr></table></div></div>"""
SERVER_TABLE = """<table><thead><tr><th>A<th>B</thead><thead class="tableFloatingHeader"
style="display: none;"><tr><th>A<th>B</thead><tr><td>1<td>2</table>"""
JAVADOC_TABLE = """<div class="summary-table two-column-summary"><div class="table-header \
col-first">Constructor</div><div class="table-header col-last">Description</div><div
class="col-constructor-name even-row-color"><code>Queue()</code></div><div class="col-last \
even-row-color"><div class="block">An empty one.</div></div></div>"""
JAVADOC_SUMMARY = """## New

| Constructor | Description |
| --- | --- |
| `Queue()` | An empty one. |
"""
JAVADOC_SECTIONS = """<ul class="details-list"><li><section><h2>Methods</h2><ul class="member-list">
<li><section><h3>put</h3><pre>x</pre></section></li></ul></section></li></ul>"""
LEARN = """<div class="NOTE"><p>Note</p><p>Read it.</p></div><div class="codeHeader"><span
class="language">Bash</span><button class="action"><span></span>Copy</button></div><pre><code
class="lang-bash">ls</code></pre><button>Next tab</button>"""
VITEPRESS_CODE = """<div class="language-js vp-adaptive-theme"><button title="Copy Code" class="copy">
</button><span class="lang">js</span><pre class="shiki"><code><span>x</span></code></pre></div>"""
MAN7 = """<div class="nav-bar"><p>man7.org &gt; Linux</p></div><h2><a id="N" href="#N"></a>NAME
&nbsp; <a href="#top_of_page"><span class="top-link">top</span></a></h2><pre>ls</pre>"""
GROFF = """<table><tr valign="top"><td width="11%"></td><td width="3%"><p><b>-a</b></p></td>
<td width="8%"></td><td width="78%"><p>all</p></td></tr><tr><td></td><td><p><b>-l</b></p></td>
<td></td><td><p>long</p></td></tr></table>"""
GENERATORS = [
    (MAN7, "## NAME\n\n```\nls\n```\n"),
    (GROFF, "| | |\n| --- | --- |\n| **-a** | all |\n| **-l** | long |\n"),
    (LEARN, "> Note\n>\n> Read it.\n\n```bash\nls\n```\n\nNext tab\n"),
    (VITEPRESS_CODE, "```js\nx\n```\n"),
    ('<p>In <span class="lang">Dutch</span> and <pre>x</pre>', "In Dutch and\n\n```\nx\n```\n"),
    ('<pre class="code code-wrap"><code>a</code></pre>', "```\na\n```\n"),
    (
        '<div class="tip custom-block"><p class="custom-block-title">TIP</p><p>x</p></div>',
        "> **TIP**\n>\n> x\n",
    ),
    (
        JAVADOC_TABLE,
        "| Constructor | Description |\n| --- | --- |\n| `Queue()` | An empty one. |\n",
    ),
    (f"<ul class='summary-list'><li><h2>New</h2>{JAVADOC_TABLE}</ul>", JAVADOC_SUMMARY),
    (JAVADOC_SECTIONS, "## Methods\n\n### put\n\n```\nx\n```\n"),
    (SERVER_EMOJI, "Hi 🎉 (tick) (error) [a.b](http://a.b/)\n"),
    (SERVER_CODE, "**a.sh**\n\n```bash\nset -e\n```\n"),
    (SERVER_TABLE, "| A | B |\n| --- | --- |\n| 1 | 2 |\n"),
    (CLOUD_CODE, "```python\ndef f():\n    return 1\n```\n"),
    (f"<table><tr><th>a<td>{CLOUD_CODE}</table>", CLOUD_CODE_IN_CELL),
    (CLOUD_PANEL, "> **Error**\n>\n> Never do so.\n"),
    (CLOUD_TASKS, "- [x] Write\n- [ ] Read\n\n* Agreed\n"),
    (CLOUD_EMOJI, "Hi 🎉 there\n"),
    (DOXYGEN_CODE, "```\nif (x) {\n  y();\n\n}\n```\n"),
    (DOXYGEN_TITLE, "# Map Class Reference\n"),
    (DOXYGEN_MEMBER, "## run()\n\n`int run (char * x)`\n"),
    (DOXYGEN_LIST, DOXYGEN_TABLES),
    ('<pre class="rust fn">fn x()</pre>', "```rust\nfn x()\n```\n"),
    ('<div class="highlight hl-ipython3"><pre><span></span>x</pre></div>', "```python\nx\n```\n"),
    ('<pre><code class="python">x</code></pre>', "```python\nx\n```\n"),
    ('<pre class="line-numbers"><span>1</span>\n<span>2</span>\n</pre>x', "x\n"),
    ('<pre class="line-numbers"><code>1\n3\n</code></pre>', "```\n1\n3\n```\n"),
    (
        '<pre><span class="source-line-no">001</span><span>int x;</span></pre>',
        "```\nint x;\n```\n",
    ),
    ("<code>sig<br>\n&nbsp;&nbsp;val x<br>\nend</code>", "```\nsig\n  val x\nend\n```\n"),
    ("<p>so <code>a<br>b</code> is</p>", "so `a b` is\n"),
    ("<h2><code>a<br>b</code></h2>", "## `a b`\n"),
    ("<pre>1\n2\n</pre>", "```\n1\n2\n```\n"),
    (
        CODE_IN_CELL,
        "| Code | Shows |\n| --- | --- |\n| `if x:`<br>`    y()` | |\n",
    ),
    ('<div class="fragment"><p>One</p><p>Two</p></div>', "One\n\nTwo\n"),
    (NUMPYDOC, "- **axis : int, optional**\n\n  Which.\n"),
    (
        '<dl><dt>a <span>:</span> <span class="classifier">int</span><dd>b</dl>',
        "- **a : int**\n\n  b\n",
    ),
    (SPHINX_MATH, "(1.2)\n\n$$\na &= b\n$$\n"),
    (MATERIAL_TABS, "C\n\nC++\n\n```\nint\n```\n"),
    (VITEPRESS_TABS, "npm\n\nyarn\n\n```\nx\n```\n"),
    (ARRANGED, "# T\n\nmenu\n\n1\n\n2\n\n3\n"),
]


@pytest.mark.parametrize(("html", "markdown"), GENERATORS)
def test_what_generators_write_becomes(html, markdown):
    assert convert(html) == markdown
