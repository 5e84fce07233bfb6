"""Summaries and keywords without a model: what a document says itself, best sentences first.

These are tasks for helper processes (`work.cpu`): plain data in, plain data out, at most the time
and memory that a helper has. What is returned stands in the document word for word, but for
a full stop at the end of an item.
"""

from __future__ import annotations

from collections.abc import Sequence

from quaero.summarize import keywords as keys
from quaero.summarize.languages import language_of
from quaero.summarize.ranking import choose, scores, vectors
from quaero.summarize.sentences import Sentence, prose

SENTENCES = 4
LONGEST = 1_000_000
"""Characters of a text that are looked at."""
VERSION = 4
"""Grows when the same text would be summarised otherwise."""


def summarize(
    title: str, text: str, language: str | None, number: int = SENTENCES
) -> tuple[str, list[str]]:
    """The summary of a document, at most `number` of its sentences, and its keywords."""
    found = prose(text[:LONGEST])
    spoken = language_of(language, " ".join(each.text for each in found.sentences[:200]))
    summary = " ".join(map(_ended, best(found.sentences, title, spoken, number)))
    return summary, keys.keywords(
        title, found.headings, [each.text for each in found.sentences], spoken
    )


def _ended(sentence: str) -> str:
    """The sentence with a full stop where it has no end: an item of a list, say."""
    return f"{sentence}." if sentence[-1].isascii() and sentence[-1].isalnum() else sentence


def extract_keywords(title: str, text: str, language: str | None) -> list[str]:
    """The keywords of a document."""
    return summarize(title, text, language, 0)[1]


def best(sentences: Sequence[Sentence], title: str, language: str, number: int) -> list[str]:
    """The best sentences of a text, in its order."""
    if number < 1:
        return []
    matrix = vectors([each.text for each in sentences], language)
    worth = scores(sentences, matrix, title, language)
    return [sentences[each].text for each in choose(matrix, worth, number)]


def combine(
    titles: Sequence[str], summaries: Sequence[str], number: int
) -> tuple[list[str], list[str]]:
    """Of the summaries of several documents the sentences that stand for all, and keywords.

    Each document counts alike: where it stands among the others says nothing.
    """
    sentences = [
        Sentence(each.text, number, place, 0)
        for number, summary in enumerate(summaries)
        for place, each in enumerate(prose(summary).sentences)
    ]
    spoken = language_of(None, " ".join(summaries))
    matrix = vectors([each.text for each in sentences], spoken)
    title = " ".join(titles)
    worth = scores([Sentence(e.text, 0, e.place, 0) for e in sentences], matrix, title, spoken)
    chosen = [sentences[each].text for each in choose(matrix, worth, number)]
    return chosen, keys.keywords("", titles, [each.text for each in sentences], spoken)
