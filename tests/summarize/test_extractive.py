"""Sentences, languages, summaries and keywords without a model."""

from __future__ import annotations

import time

import pytest

from quaero.errors import BadAnswer
from quaero.summarize.asking import read_completion
from quaero.summarize.extractive import combine, extract_keywords, summarize
from quaero.summarize.languages import detect, language_of
from quaero.summarize.prompts import Question, listed, parts
from quaero.summarize.sentences import LONGEST_SENTENCE, prose, split

from .conftest import TIDES


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One ends. Two begins!  Is it three?", ["One ends.", "Two begins!", "Is it three?"]),
        ("Dr. Smith met J. R. Hartley in the U.S. in 1990. He left.",
         ["Dr. Smith met J. R. Hartley in the U.S. in 1990.", "He left."]),
        ("It costs 3.50 dollars, i.e. too much. See Fig. 3 for why.",
         ["It costs 3.50 dollars, i.e. too much.", "See Fig. 3 for why."]),
        ("Open app.py with Node.js 3.14 or later. Done.",
         ["Open app.py with Node.js 3.14 or later.", "Done."]),
        ("He waited... and then left. She stayed.", ["He waited... and then left.", "She stayed."]),
        ('She said "Stop." Then he went.', ['She said "Stop."', "Then he went."]),
        ("Am 3. Oktober kam er z. B. mit dem Schiff. Dann ging er.",
         ["Am 3. Oktober kam er z. B. mit dem Schiff.", "Dann ging er."]),
        ("你好世界。再见！", ["你好世界。", "再见！"]),
        ("वह आया। वह गया॥ वह कहाँ है?", ["वह आया।", "वह गया॥", "वह कहाँ है?"]),
        ("هل هذا صحيح؟ نعم.", ["هل هذا صحيح؟", "نعم."]),
        ("", []),
        ("no end at all", ["no end at all"]),
    ],
)  # fmt: skip
def test_sentences_end_where_a_reader_ends_them(text: str, expected: list[str]) -> None:
    assert split(text) == expected


MARKDOWN = """# The harbour guide

Setext heading
==============

The **harbour** has a [lantern](https://example.org/a_(b)) and `two` bells.
It \\<b\\>never\\</b\\> sleeps. ![picture](x.png)

```python
print("Code is not prose. At all.")
```

    indented code is none either.

| a | b |
|---|---|
| A table is. | no prose. |

- Ships enter at high water only, and slowly.
- [Home](/)
- Short item

> Quoted words count too.

[One](a) [Two](b) [Three](c)

[ref]: https://example.org/
"""


def test_only_prose_is_read_and_read_as_plain_text() -> None:
    found = prose(MARKDOWN)
    assert found.headings == ["The harbour guide", "Setext heading"]
    assert [each.text for each in found.sentences] == [
        "The harbour has a lantern and two bells.",
        "It <b>never</b> sleeps.",
        "Ships enter at high water only, and slowly.",
        "Quoted words count too.",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The ship is in the harbour and it was here before the tide", "en"),
        ("Das Schiff ist im Hafen und es war vor der Flut hier", "de"),
        ("Le bateau est dans le port et il était là avant la marée", "fr"),
        ("El barco está en el puerto y estaba aquí antes de la marea", "es"),
        ("Il battello è nel porto ed era qui prima della marea", "it"),
        ("O barco está no porto e não estava aqui antes da maré", "pt"),
        ("Het schip is in de haven en het was hier voor het tij", "nl"),
        ("Statek jest w porcie i był tu już przed tym, jak się zaczęło", "pl"),
        ("Корабль уже в порту, и он был здесь до того, как всё началось", "ru"),
        ("船は港にあります。それは昨日からここにいました。", "ja"),
        ("船在港口里，昨天就在这里了。", "zh"),
        ("배는 항구에 있고 어제부터 여기에 있었다", "ko"),
        ("42 17 %", ""),
    ],
)
def test_the_language_of_a_text_is_seen_from_its_small_words(text: str, expected: str) -> None:
    assert detect(text) == expected


def test_what_a_page_says_of_its_language_counts_where_the_text_is_silent() -> None:
    assert language_of("de-CH", "Hafenordnung 1999") == "de"
    assert language_of("en", "Das Schiff ist im Hafen und es war vor der Flut hier") == "de"
    assert language_of("tlh", "nuqneH") == ""


def test_a_summary_is_short_in_order_and_without_repetition() -> None:
    again = TIDES + "\n\nHarbours measure tides with gauges.\n\nHarbours measure tides with gauges."
    summary, keywords = summarize("Tides", again, None, 3)
    sentences = split(summary)
    text = " ".join(again.split())
    assert len(sentences) == len(set(sentences)) == 3
    places = [text.find(each) for each in sentences]
    assert places == sorted(places)
    assert min(places) >= 0
    assert keywords[0].lower() in ("tides", "tide")
    assert not {"the", "of", "and"} & {each.lower() for each in keywords}
    assert keywords == extract_keywords("Tides", again, "en")


@pytest.mark.parametrize("text", ["", "```\ncode\n```", "| a | b |\n", "# Only a heading"])
def test_a_text_without_sentences_has_no_summary(text: str) -> None:
    assert summarize("", text, None)[0] == ""


def test_many_summaries_are_combined_into_sentences_that_stand_in_them() -> None:
    summaries = [
        "Tides follow the moon. Gauges measure tides.",
        "Locks lift ships. Locks are slow.",
    ]
    chosen, keywords = combine(["Tides", "Locks"], summaries, 2)
    assert len(chosen) == 2
    assert all(any(each in summary for summary in summaries) for each in chosen)
    assert keywords


HOSTILE = {
    "one word": "x" * 1_000_000,
    "brackets": "[" * 1_000_000,
    "pictures": "![" * 500_000,
    "links": "[a](" * 250_000,
    "comments": "<!--" * 250_000,
    "stars": "*a_b `" * 160_000,
    "short sentences": "Ab cd. " * 140_000,
    "abbreviations": "e.g. " * 200_000,
    "blanks": "#" + " " * 1_000_000 + "x",
    "pipes": "a|" * 500_000,
    "stops": "." * 1_000_000 + "a",
    "marks": "!?" * 500_000 + "a",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_megabyte_of_anything_takes_seconds_at_most(name: str) -> None:
    start = time.process_time()
    summary, _ = summarize("", HOSTILE[name], None)
    assert time.process_time() - start < 20
    assert len(summary) < 5 * LONGEST_SENTENCE


def test_a_text_is_divided_into_parts_that_fit_and_hold_all_of_it() -> None:
    text = "\n\n".join(f"Paragraph {n} ä. " * (n % 7 + 1) for n in range(50)) + "y" * 5_000
    pieces = parts(text, 700)
    assert max(len(each.encode()) for each in pieces) <= 700
    assert "".join("".join(pieces).split()) == "".join(text.split())


def test_keywords_of_a_model_are_read_from_any_usual_list() -> None:
    assert listed("Keywords: tides, moon;  Sea.", 10) == ["tides", "moon", "Sea"]
    assert listed("1. tides\n2. moon\n- sea\n* tides", 10) == ["tides", "moon", "sea"]
    assert listed("a, b, c", 2) == ["a", "b"]


def test_keywords_of_texts_without_blanks_are_words_and_no_syllables() -> None:
    japanese = "潮汐とは、月と太陽の引力によって海面が周期的に上下する現象である。月の引力は海水を引き寄せる。"
    found = extract_keywords("潮汐", japanese, "ja")
    assert {"潮汐", "引力"} <= set(found)
    assert not any("\u3040" <= sign <= "\u309f" for word in found for sign in word)
    thai = "น้ำขึ้นน้ำลงเกิดจากแรงดึงดูดของดวงจันทร์และดวงอาทิตย์"
    assert extract_keywords("น้ำ", f"{thai} ดวงจันทร์ดึงน้ำทะเลเข้าหาตัวเอง", "th") == []


HINDI = """ज्वार-भाटा समुद्र का उतार-चढ़ाव है। चंद्रमा और सूर्य मिलकर ज्वार-भाटा लाते हैं। बंदरगाह हर दस मिनट में समुद्र की ऊँचाई नापते हैं।"""


def test_words_keep_the_vowels_that_are_written_beside_their_letters() -> None:
    summary, keywords = summarize("ज्वार-भाटा", HINDI, "hi", 1)
    assert summary == "ज्वार-भाटा समुद्र का उतार-चढ़ाव है।"
    assert "ज्वार-भाटा" in keywords
    assert all(word in HINDI for word in keywords)
    assert all(len(word) > 1 for word in keywords)


def test_items_of_lists_are_prose_in_scripts_without_blanks_too() -> None:
    chinese = "- 首页\n- 港口每天上午八点开放。\n- 船只只能在高水位时缓慢进入。\n- 联系我们\n"
    found = [each.text for each in prose(chinese).sentences]
    assert found == ["港口每天上午八点开放。", "船只只能在高水位时缓慢进入。"]


HARBOUR = "港口每天上午八点开放。船只只能在高水位时进入，必须缓慢航行。港务长据此计算潮汐表。"


@pytest.mark.parametrize(
    ("answer", "text", "used"),
    [
        ("本文说明港口的开放时间和船只进港的规定，以及潮汐表的计算方法。", HARBOUR, True),
        ("量子计算机利用量子力学的原理来处理信息，可以同时处于多种状态。", HARBOUR, False),
    ],
)
def test_an_answer_in_a_script_without_blanks_is_compared_by_its_signs(
    answer: str, text: str, used: bool
) -> None:
    question = Question("summary", text, "", 4)
    if used:
        assert question.checked(answer) == answer
        return
    with pytest.raises(BadAnswer, match="next to nothing"):
        question.checked(answer)


@pytest.mark.parametrize(
    "text",
    ["ကွန်ပျူတာများသည် အချက်အလက်များကို စီမံဆောင်ရွက်ရန် အသုံးပြုသည်။", HINDI],
)
def test_an_answer_in_any_script_is_made_of_letters(text: str) -> None:
    said = {"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}
    assert read_completion(said).text == text
