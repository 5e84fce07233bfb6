"""Keywords of one document by statistics alone.

Candidates are runs of one to three terms that no stop word, sign or number divides. A term counts
for how often and over how much of the text it stands, and for standing in the title, in headings
and early; a phrase for its terms together, as in RAKE (Rose et al. 2010), where it comes more than
once or in the title. Nothing is compared with other documents, so the answer never changes while
the document does not.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from quaero.summarize.terms import WORD, term, words

NUMBER = 10
_LONGEST_PHRASE = 3
_ONLY_WORDS = re.compile(r"[\s/-]*\Z")
_SPACED = re.compile("[^\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]+\\Z")
_SOUNDS = re.compile("[\u0e00-\u0eff\u3040-\u309f]")
"""Signs of Thai, Lao and hiragana: two of them are a syllable or an ending, and no word."""
_Word = tuple[str, str]


def keywords(
    title: str, headings: Sequence[str], sentences: Sequence[str], language: str,
    number: int = NUMBER,
) -> list[str]:  # fmt: skip
    """The keywords of a text, the best first, as they are mostly written."""
    counts, first, spread = Counter[str](), dict[str, int](), Counter[str]()
    phrases, written = Counter[tuple[str, ...]](), dict[tuple[str, ...], Counter[str]]()
    for at, sentence in enumerate([title, *headings, *sentences]):
        seen = set()
        for run in _runs(sentence, language):
            for size in range(1, min(_LONGEST_PHRASE, len(run)) + 1):
                for start in range(len(run) - size + 1):
                    part = run[start : start + size]
                    key = tuple(form for form, _ in part)
                    phrases[key] += 1
                    spelled = " ".join(word for _, word in part)
                    written.setdefault(key, Counter())[spelled] += 1
            for form, _ in run:
                counts[form] += 1
                first.setdefault(form, at)
                seen.add(form)
        spread.update(seen)
    named = {form for run in _runs(title, language) for form, _ in run}
    headed = {form for each in headings for run in _runs(each, language) for form, _ in run}
    total = len(sentences) + len(headings) + 1
    weight = {
        form: _weight(count, spread[form], first[form], total)
        * (1.6 if form in named else 1.25 if form in headed else 1.0)
        for form, count in counts.items()
    }
    ranked = sorted(
        ((_worth(key, count, weight), key) for key, count in phrases.items()
         if len(key) == 1 or count > 1 or set(key) <= named),
        key=lambda each: (-each[0], each[1]),
    )  # fmt: skip
    return _distinct(ranked, phrases, written, number)


def _weight(count: int, spread: int, first: int, total: int) -> float:
    early = 1 + 0.5 / (1 + math.log1p(first))
    return (1 + math.log(count)) * math.sqrt(1 + spread / math.sqrt(total)) * early


def _worth(key: tuple[str, ...], count: int, weight: dict[str, float]) -> float:
    if len(key) == 1:
        return weight[key[0]] * (1.0 if len(key[0]) > 3 else 0.8)
    mean = sum(weight[form] for form in key) / len(key)
    return mean * (1 + 0.35 * (len(key) - 1)) * (0.6 + 0.25 * math.log(1 + count))


def _distinct(
    ranked: Sequence[tuple[float, tuple[str, ...]]], phrases: Counter[tuple[str, ...]],
    written: dict[tuple[str, ...], Counter[str]], number: int,
) -> list[str]:  # fmt: skip
    """The best, without those that mostly stand inside a better one, or hold one alone."""
    chosen: list[tuple[str, ...]] = []
    for _, key in ranked:
        inside = any(set(key) <= set(other) and phrases[key] < 2 * phrases[other] + 1
                     for other in chosen)  # fmt: skip
        if inside or len(set(key)) < len(key):
            continue
        around = [other for other in chosen if set(other) < set(key)]
        if around and phrases[key] * 3 < max(phrases[other] for other in around):
            continue
        chosen.append(key)
        if len(chosen) == number:
            break
    return [_spelling(written[key]) for key in chosen]


def _spelling(found: Counter[str]) -> str:
    """The most frequent spelling; among equals the one in small letters."""
    return max(found.items(), key=lambda each: (each[1], each[0].islower(), each[0]))[0]


def _runs(text: str, language: str) -> Iterator[list[_Word]]:
    """Runs of terms with the words they were, undivided by stop words and signs."""
    if not _SPACED.match(text):
        yield from (
            [(pair, pair)]
            for pair in words(text)
            if term(pair, language) and not _SOUNDS.search(pair)
        )
        return
    run: list[_Word] = []
    end = 0
    for found in WORD.finditer(text):
        form = term(found[0], language)
        if run and not (form and _ONLY_WORDS.match(text, end, found.start())):
            yield run
            run = []
        if form:
            run.append((form, found[0].removesuffix("'s").removesuffix("’s")))
        end = found.end()
    if run:
        yield run
