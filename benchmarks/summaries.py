"""How good extractive summaries are: ROUGE against what authors say of their own documents.

Three sets that packages ship. Papers (the package `aclsum`): the body, against the abstract, which
is held out. Pages of documentation (PostgreSQL's, from Debian) and read-me files of installed
packages: the rest, against the first paragraph, which is held out. Contestants choose the same
number of sentences from the same ones: ours, the first ones (*lead*), and sumy's TextRank. Half of
each set, by a hash of its name, was there to choose weights by; what is reported is the other half.
"""

from __future__ import annotations

import hashlib
import json
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path
from random import Random

import crawl
from quaero.crawl.extract import extract
from quaero.summarize.extractive import SENTENCES, best
from quaero.summarize.languages import stop_words
from quaero.summarize.sentences import prose

_END = "\x1e"
_WORD = re.compile(r"[a-z0-9]+")
LEAST_SENTENCES = 8
LEAST_WORDS = 10


@dataclass(frozen=True)
class Case:
    """A document without its own summary, and that summary."""

    name: str
    title: str
    text: str
    reference: str

    @property
    def reported(self) -> bool:
        """Whether it belongs to the half that is reported."""
        return hashlib.sha256(self.name.encode()).digest()[0] % 2 == 1


def papers() -> Iterator[Case]:
    spec = find_spec("aclsum")
    assert spec is not None
    assert spec.origin is not None
    for path in sorted(Path(spec.origin).parent.glob("dataset/paper_jsons/*.json")):
        paper = json.loads(path.read_text("utf-8"))
        parts, section = [], None
        for each in paper["pdf_parse"]["body_text"]:
            if each["section"] != section:
                section = each["section"]
                parts.append(f"## {section}")
            parts.append(each["text"])
        text, abstract = "\n\n".join(parts), paper["abstract"] or ""
        if abstract in text or len(abstract.split()) < LEAST_WORDS:
            continue
        yield Case(path.name, paper["title"], text, abstract)


def pages(folder: Path) -> Iterator[Case]:
    for path in sorted(crawl.fetch_site(folder).glob("*.html")):
        page = extract(path.read_bytes(), f"https://docs.example/{path.name}", "text/html")
        yield from _beginning_held_out(path.name, page.title, page.markdown)


def read_mes() -> Iterator[Case]:
    seen = set()
    for each in distributions():
        name, text = each.metadata["Name"], each.metadata.get_payload()
        if name not in seen and isinstance(text, str):
            seen.add(name)
            yield from _beginning_held_out(name, name, text)


def _beginning_held_out(name: str, title: str, text: str) -> Iterator[Case]:
    """The rest of a text and its first paragraph, where that says enough."""
    found = prose(text).sentences
    first = [s.text for s in found if s.block == found[0].block] if found else []
    reference = " ".join(first)
    if len(reference.split()) < LEAST_WORDS:
        return
    # Held out by what comes after the paragraph's end, as it is written in the file.
    end = text.find(first[-1][-15:])
    if end >= 0:
        yield Case(name, title, text[end + 15 :], reference)


# -- ROUGE (Lin 2004), F1, on lower-case words without stemming


def rouge(summary: str, reference: str) -> tuple[float, float, float]:
    """ROUGE-1, ROUGE-2 and ROUGE-L."""
    ours, theirs = _WORD.findall(summary.lower()), _WORD.findall(reference.lower())
    shared = [sum((Counter(_grams(ours, n)) & Counter(_grams(theirs, n))).values()) for n in (1, 2)]
    return (
        _f1(shared[0], len(ours), len(theirs)),
        _f1(shared[1], len(ours) - 1, len(theirs) - 1),
        _f1(_common(ours, theirs), len(ours), len(theirs)),
    )


def _grams(words: Sequence[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(words[at : at + n]) for at in range(len(words) - n + 1)]


def _f1(shared: int, ours: int, theirs: int) -> float:
    return 2 * shared / (ours + theirs) if shared else 0.0


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """The length of the longest common subsequence."""
    row = [0] * (len(other) + 1)
    for word in one:
        before = 0
        for at, each in enumerate(other, 1):
            before, row[at] = row[at], before + 1 if word == each else max(row[at], row[at - 1])
    return row[-1]


# -- contestants: from a case to its summary


def ours(case: Case) -> str:
    return " ".join(best(prose(case.text).sentences, case.title, "en", SENTENCES))


def lead(case: Case) -> str:
    return " ".join(each.text for each in prose(case.text).sentences[:SENTENCES])


class _Words:
    """Our words and sentences, so that sumy's methods choose from what we choose from."""

    def to_sentences(self, text: str) -> list[str]:
        return [each.strip() for each in text.split(_END) if each.strip()]

    def to_words(self, text: str) -> list[str]:
        return _WORD.findall(text.lower())


def _text_rank() -> Callable[[Case], str]:
    from sumy.nlp.stemmers import Stemmer
    from sumy.parsers.plaintext import PlaintextParser
    from sumy.summarizers.text_rank import TextRankSummarizer

    method = TextRankSummarizer(Stemmer("english"))
    method.stop_words = stop_words("en")

    def summarize(case: Case) -> str:
        lines = f"{_END}\n".join(each.text for each in prose(case.text).sentences)
        parser = PlaintextParser.from_string(lines, _Words())
        return " ".join(map(str, method(parser.document, SENTENCES)))

    return summarize


def run(folder: Path, *, reported: bool = True) -> list[str]:
    """A table for each set; `reported` false is the half that weights were chosen by.

    The last column is the difference of ours, with the interval that holds 95 % of its means over
    2,000 samples of the documents drawn with replacement (bootstrap, Efron 1979).
    """
    contestants = {"quaero": ours, "lead": lead, "sumy TextRank": _text_rank()}
    sets = {
        "Papers against their abstracts": papers(),
        "Pages of documentation against their first paragraphs": pages(folder),
        "Read-me files against their first paragraphs": read_mes(),
    }
    lines = []
    for title, found in sets.items():
        cases = [
            each for each in found
            if each.reported is reported and len(prose(each.text).sentences) >= LEAST_SENTENCES
        ]  # fmt: skip
        lines += [
            f"### {title}: {len(cases)} documents, {SENTENCES} sentences each", "",
            "| contestant | ROUGE-1 | ROUGE-2 | ROUGE-L | mean | ms each | ours is better by |",
            "|---|---:|---:|---:|---:|---:|---:|",
        ]  # fmt: skip
        own: list[float] = []
        for name, method in contestants.items():
            start = time.process_time()
            made = [method(each) for each in cases]
            spent = 1_000 * (time.process_time() - start) / len(cases)
            scores = [rouge(m, each.reference) for m, each in zip(made, cases, strict=True)]
            means = [100 * statistics.fmean(column) for column in zip(*scores, strict=True)]
            figures = " | ".join(f"{each:.2f}" for each in (*means, statistics.fmean(means)))
            each_mean = [100 * statistics.fmean(score) for score in scores]
            own = own or each_mean
            lines.append(f"| {name} | {figures} | {spent:.1f} | {_better(own, each_mean)} |")
        lines.append("")
    return lines


def _better(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """The mean difference of the same documents, and between what it lies."""
    if ours is theirs:
        return "-"
    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    rng = Random(1)
    means = sorted(
        statistics.fmean(rng.choices(differences, k=len(differences))) for _ in range(2_000)
    )
    return f"{statistics.fmean(differences):.1f} ({means[50]:.1f} to {means[-51]:.1f})"
