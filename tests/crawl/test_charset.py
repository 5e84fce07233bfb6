"""A body's text is read by byte order mark, header, markup, then by what the bytes can be."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quaero.crawl.charset import decode, read

CASES = [
    # body, content type, text
    (b"plain", None, "plain"),
    ("é".encode(), None, "é"),
    (b"caf\xe9 \x80 \x93q\x94", None, "café € “q”"),
    (b"caf\xe9", "text/html; charset=ISO-8859-1", "café"),
    (b"\x80", "text/html; charset=latin1", "€"),
    (b"\x80\x81", 'text/html; charset="us-ascii"', "€\x81"),
    ("я".encode("cp1251"), "text/html;charset=windows-1251", "я"),
    ("日本".encode("cp932"), "text/html; charset=Shift_JIS", "日本"),
    ("中文".encode("gbk"), "text/html; charset=gb2312", "中文"),
    ("한글".encode("cp949"), "text/html; charset=EUC-KR", "한글"),
    (codecs.BOM_UTF8 + "é".encode(), "text/html; charset=latin1", "é"),
    ("é".encode("utf-16"), None, "é"),
    (codecs.BOM_UTF16_BE + "é".encode("utf-16-be"), "text/html; charset=utf-8", "é"),
    (b'<meta charset="koi8-r">\xd1', None, '<meta charset="koi8-r">я'),
    (b"<META charset = latin2 >\xb1", None, "<META charset = latin2 >ą"),
    (
        b'<meta http-equiv="Content-Type" content="text/html; charset=iso-8859-15">\xa4',
        "text/html",
        '<meta http-equiv="Content-Type" content="text/html; charset=iso-8859-15">€',
    ),
    (b'<meta charset="utf-16">\xc3\xa9', None, '<meta charset="utf-16">é'),
    (b'<?xml version="1.0" encoding="windows-1252"?>\x80', None, None),
    (b'<!-- <meta charset="koi8-r"> -->\xc3\xa9', None, '<!-- <meta charset="koi8-r"> -->é'),
    (b'<meta charset="base64">\xc3\xa9', None, '<meta charset="base64">é'),
    (b"\xff", "text/html; charset=utf-8", "\ufffd"),
    (b"\xc3\xa9", "text/html; charset=no-such", "é"),
    (b"", "text/html; charset=", ""),
]


@pytest.mark.parametrize(("body", "content_type", "text"), CASES)
def test_the_first_declaration_that_counts_decides(body, content_type, text):
    if text is None:
        text = body[:-1].decode() + "€"
    assert decode(body, content_type) == text


def test_the_header_counts_before_the_markup():
    assert decode(b'<meta charset="koi8-r">\xe9', "text/html; charset=latin1")[-1] == "é"


def test_a_late_declaration_counts_only_where_the_bytes_are_not_utf8():
    late = b" " * 4096 + b'<meta charset="koi8-r">'
    assert decode(late + b"\xd1", None)[-1] == "я"
    assert decode(late + "é".encode(), None)[-1] == "é"


KOI8 = "я".encode("koi8-r")


@pytest.mark.parametrize(
    ("markup", "declares"),
    [
        # the first meta that names a known encoding, however it is written
        ("<meta charset=koi8-r>", True),
        ("<meta/charset='KOI8-R'/>", True),
        ("<META\n\tname=x charset\n=\n koi8-r >", True),
        ("<meta charset=' koi8-r '>", True),
        ('<meta charset="no-such"><meta charset="koi8-r">', True),
        ('<meta charset="koi8-r"><meta charset="latin2">', True),
        ("<meta charset=koi8-r charset=latin2>", True),
        # content counts beside http-equiv, in either order
        ('<meta http-equiv="Content-Type" content="text/html; charset=koi8-r">', True),
        ('<meta content="text/html;charset = koi8-r;x" http-equiv=content-type>', True),
        ("<meta http-equiv=content-type content=\"a charset b; charset='koi8-r'\">", True),
        ('<meta http-equiv=content-type content="charset=\'koi8-r">', False),
        ('<meta content="text/html; charset=koi8-r">', False),
        ('<meta name="content-type" content="text/html; charset=koi8-r">', False),
        ('<meta http-equiv="refresh" content="0;url=?charset=koi8-r">', False),
        # what only looks like one
        ("<metacharset=koi8-r>", False),
        ("<meta charset=koi8-r", False),
        ('<meta title=" charset=koi8-r>', False),
        ('<p title="<meta charset=koi8-r>"></p>', False),
        ("<!-- > <meta charset=koi8-r> -->", False),
        ("<!-- <meta charset=koi8-r>", False),
        ("<!--><meta charset=koi8-r>", True),
        ("<!DOCTYPE html><?php ?></x y><meta charset=koi8-r>", True),
        # XML says it at its beginning
        ('<?xml version="1.0" encoding="koi8-r"?>', True),
        ('<?xml encoding="latin2"?><meta charset="koi8-r">', True),
        ('<p></p><?xml version="1.0" encoding="koi8-r"?>', False),
    ],
)
def test_markup_declares_its_encoding_as_html_says(markup, declares):
    assert decode(markup.encode() + KOI8, None)[-1] == ("я" if declares else "Ñ")


def test_xml_in_utf16_needs_no_byte_order_mark():
    text = "<?xml version='1.0'?><a>é</a>"
    assert decode(text.encode("utf-16-le"), None) == text
    assert decode(text.encode("utf-16-be"), None) == text


@pytest.mark.parametrize(
    ("label", "body", "text"),
    [
        ("windows-1250", b"\x81\x8a", "\x81Š"),
        ("windows-1253", b"\xaa", "\ufffd"),
        ("windows-1255", b"\xca", "\u05ba"),
        ("koi8-u", b"\xae\xbe\xa4", "ўЎє"),
        ("iso_8859-7:1987", b"\xe1", "α"),
        ("euc-jp", b"\xad\xa1\xa4\xa2\xad\xea\xfc\xe2\x8e\xb1\x8f\xb0\xa1", "①あ㈱髙ｱ丂"),
        ("euc-jp", b"\xad\xa1\xff\xa4\xa2\xa4", "①\ufffdあ\ufffd"),
        ("gbk", b"\xa3\xa0\xb0\xa1\xfe\x59", "\u3000啊龴"),
    ],
)
def test_bytes_mean_what_they_mean_to_browsers(label, body, text):
    assert decode(body, f"text/html; charset={label}") == text


@given(st.binary(max_size=200), st.none() | st.text(max_size=60))
def test_no_bytes_and_no_header_make_it_fail(body, content_type):
    assert isinstance(decode(body, content_type), str)


@pytest.mark.parametrize(
    "label", ["utf-8", "shift_jis", "gb18030", "big5", "euc-kr", "iso-2022-jp"]
)
@given(body=st.binary(max_size=100))
def test_invalid_sequences_are_replaced(label, body):
    decode(body, f"text/html; charset={label}").encode("utf-8")


# -- what says nothing of itself


def page_of(text: str) -> str:
    return f"<html><head><title>1</title></head><body><p>{text * 3}</p></body></html>"


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1251", "Маяк стоит на краю острова, и каждый вечер смотритель зажигает огонь. "),
        ("koi8-r", "Маяк стоит на краю острова, и каждый вечер смотритель зажигает огонь. "),
        ("cp932", "灯台は島のはずれに立っていて、毎晩、番人が明かりをともします。"),
        ("euc_jp", "灯台は島のはずれに立っていて、毎晩、番人が明かりをともします。"),
        ("gb18030", "灯塔矗立在岛屿的边缘，每天晚上看守人都会点亮灯火，为船只指引方向。"),
        ("big5hkscs", "燈塔矗立在島嶼的邊緣，每天晚上看守人都會點亮燈火，為船隻指引方向。"),
        ("cp949", "등대는 섬의 가장자리에 서 있고, 매일 저녁 등대지기가 불을 켭니다. "),
        ("cp1253", "Άλλοτε ο φάρος στεκόταν στην άκρη – και κάθε βράδυ ο φύλακας άναβε το “φως”. "),
        ("cp1255", "המגדלור עומד בקצה האי, ובכל ערב השומר מדליק את האור לספינות. "),
        ("cp1252", "Der Leuchtturm steht am äußersten Rand – jeden Abend „zündet“ er sein Feuer. "),
        ("cp1252", "Le phare se dresse à l’extrémité de l’île, et le gardien y allume le feu. "),
        ("cp1252", "The keeper’s café costs £5 – “cheap”, at 20 °C. "),
    ],
    ids=lambda value: value if value.isascii() and " " not in value else "",
)  # fmt: skip
def test_text_that_does_not_say_its_encoding_is_read_by_what_is_in_it(encoding, text):
    page = page_of(text)
    assert read(page.encode(encoding), None) == (page, encoding)
    late = "<p>" + "plain words only " * 4_000 + page
    assert read(late.encode(encoding), "text/html") == (late, encoding)


@pytest.mark.parametrize("text", ["café", "Zürich", "5 £", "smörgåsbord and jalapeño"])
def test_too_little_to_tell_is_read_as_western(text):
    assert read(text.encode("cp1252"), None) == (text, "cp1252")


def test_utf8_with_a_broken_character_stays_utf8():
    text = "Grüße an alle, schöne Welt – " * 10
    body = text.encode()
    assert read(body + b"\xc3", None) == (text + "\ufffd", "utf-8")
    assert read(body + b"\xe9t\xe9", None) == (text + "\ufffdt\ufffd", "utf-8")
    assert read(b"\xff" + body, None) == ("\ufffd" + text, "utf-8")


@pytest.mark.parametrize("body", [bytes(range(256)) * 300, b"\x80", b"\xff\xfe"[::-1] * 2_000,
                                  b"\x81" * 50_000, b"a" * 300_000 + b"\xe9"],
                         ids=["all", "one", "marks", "none", "last"])  # fmt: skip
def test_what_is_no_text_is_still_decoded(body):
    text, codec = read(body, None)
    assert len(text) >= len(body) / 3
    assert codec in {"cp1252", "utf-16-be"}
