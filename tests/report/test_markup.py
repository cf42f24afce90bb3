"""HTML that is safe by construction."""

from softmaxclf.report.markup import NO_BREAK, Markup, element, join, text


def test_whatever_is_not_markup_is_escaped():
    assert text("<b>&\"'") == "&lt;b&gt;&amp;&quot;&#x27;"
    assert element("p", "<i>", Markup("<b></b>")) == "<p>&lt;i&gt;<b></b></p>"
    assert element("img", alt='" onerror="x') == '<img alt="&quot; onerror=&quot;x">'
    assert join(["<", Markup("<hr>"), None], ">") == "&lt;&gt;<hr>"


def test_what_cannot_be_printed_becomes_a_replacement_character():
    assert text("a\x00b\u202ec\ud800d\u200be") == "a\ufffdb\ufffdc\ufffdd\ufffde"
    text("\ud800").encode()  # a lone surrogate would not go into a file


def test_lines_and_fixed_spaces_stay():
    assert text(f"1{NO_BREAK}%\n\tx") == f"1{NO_BREAK}%\n\tx"


def test_attributes_are_named_as_in_html_and_left_out_when_there_are_none():
    made = element("td", class_="number", data_of="a.b", colspan=2, hidden=True, title=None, lang=False)
    assert made == '<td class="number" data-of="a.b" colspan="2" hidden></td>'


def test_elements_without_content_are_not_closed():
    assert element("br") == "<br>"
    assert element("p") == "<p></p>"
