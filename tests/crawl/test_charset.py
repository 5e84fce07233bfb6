"""A body's text is read by byte order mark, header, markup, then by what the bytes can be."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quaero.crawl.charset import decode

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


def test_a_declaration_beyond_the_first_4096_bytes_is_not_looked_for():
    assert decode(b" " * 4096 + b'<meta charset="koi8-r">\xd1', None)[-1] == "Ñ"


@given(st.binary(max_size=200), st.none() | st.text(max_size=60))
def test_no_bytes_and_no_header_make_it_fail(body, content_type):
    assert isinstance(decode(body, content_type), str)


@pytest.mark.parametrize(
    "label", ["utf-8", "shift_jis", "gb18030", "big5", "euc-kr", "iso-2022-jp"]
)
@given(body=st.binary(max_size=100))
def test_invalid_sequences_are_replaced(label, body):
    decode(body, f"text/html; charset={label}").encode("utf-8")
