"""Which sentences say the most of a text.

A sentence counts for what it shares with all others (centrality), for where it stands, and for the
words of the title in it. Centrality is that of LexRank (Erkan and Radev 2004): a random walk over
sentences that goes to similar ones. It is done here over the sparse matrix of sentences and terms
in place of that of sentences and sentences, so a step costs as much as there are words. What is
chosen is different from what was chosen before it (maximal marginal relevance, Carbonell and
Goldstein 1998).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from quaero.summarize.sentences import ENDS, Sentence
from quaero.summarize.terms import terms

DAMPING = 0.85
STEPS = 12
CENTRALITY, POSITION, TITLE = 1.0, 0.15, 1.5
SHORT_POSITION, SHORT = 1.0, 30
"""What the beginning of a short text counts besides, and the sentences after which that halves."""
LEAD_FADES = 4.0
"""After how many sentences the weight of the beginning has halved."""
REDUNDANCY = 0.5
LEAST_WORDS, MOST_WORDS = 5, 45
_POINTING_BACK = """
    this that these those it its they he she such thus hence therefore however moreover
    furthermore also but and so then another both dies diese dieser er sie es damit dabei
    außerdem jedoch il elle ils elles cela ceci cette este esta esto ello
"""
_ANAPHORA = frozenset(_POINTING_BACK.split())

Vector = dict[str, float]


def vectors(sentences: Sequence[str], language: str) -> list[Vector]:
    """TF-IDF vectors of unit length, one for each sentence."""
    counts = [Counter(terms(each, language)) for each in sentences]
    spread = Counter(term for count in counts for term in count)
    found = []
    for count in counts:
        weights = {
            term: (1 + math.log(n)) * math.log(1 + len(counts) / spread[term])
            for term, n in count.items()
        }
        length = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
        found.append({term: weight / length for term, weight in weights.items()})
    return found


def centrality(matrix: Sequence[Vector], bias: Sequence[float]) -> list[float]:
    """How central each sentence is, the most central 1; `bias` is where the walk begins anew."""
    total = sum(bias) or 1.0
    restart = [each / total for each in bias]
    reach = [max(each, 1e-9) for each in _similar(matrix, [1.0] * len(matrix))]
    rank = list(restart)
    for _ in range(STEPS):
        flow = _similar(matrix, [each / out for each, out in zip(rank, reach, strict=True)])
        rank = [
            DAMPING * gained + (1 - DAMPING) * again
            for gained, again in zip(flow, restart, strict=True)
        ]
    most = max(rank, default=0.0) or 1.0
    return [each / most for each in rank]


def _similar(matrix: Sequence[Vector], values: Sequence[float]) -> list[float]:
    """The product of the similarity of sentences with a vector, by way of the terms."""
    by_term: dict[str, float] = {}
    for vector, value in zip(matrix, values, strict=True):
        for term, weight in vector.items():
            by_term[term] = by_term.get(term, 0.0) + weight * value
    return [sum(weight * by_term[term] for term, weight in vector.items()) for vector in matrix]


def scores(
    sentences: Sequence[Sentence], matrix: Sequence[Vector], title: str, language: str
) -> list[float]:
    """The worth of each sentence of a text."""
    lead = [_lead(number, each) for number, each in enumerate(sentences)]
    central = centrality(matrix, [0.2 + each for each in lead])
    wanted = set(terms(title, language))
    position = POSITION + SHORT_POSITION / (1 + len(sentences) / SHORT)
    return [
        (
            CENTRALITY * central[number]
            + position * lead[number]
            + TITLE * _share(wanted, matrix[number])
        )
        * _fit(each)
        for number, each in enumerate(sentences)
    ]


def _lead(number: int, sentence: Sentence) -> float:
    """The beginning of a text counts most; then the beginnings of its paragraphs."""
    lead = 1 / (1 + number / LEAD_FADES)
    return lead if sentence.place == 0 else lead * 0.8


def _share(wanted: set[str], vector: Vector) -> float:
    return len(wanted & vector.keys()) / len(wanted) if wanted else 0.0


def _fit(sentence: Sentence) -> float:
    """How well a sentence reads alone: by its length, its end, its first word."""
    length = len(sentence.text.split())
    worth = 1.0
    if sentence.text.isascii() and length < LEAST_WORDS:
        worth *= 0.3
    if length > MOST_WORDS:
        worth *= max(0.3, MOST_WORDS / length)
    if sentence.text[-1] in ":;,":
        worth *= 0.4
    elif sentence.text[-1] not in f'.!?…{ENDS}"”»)':
        worth *= 0.6
    if sentence.item:
        worth *= 0.7
    if sentence.place and sentence.text.split(maxsplit=1)[0].strip(",").lower() in _ANAPHORA:
        worth *= 0.8
    return worth


def choose(matrix: Sequence[Vector], worth: Sequence[float], number: int) -> list[int]:
    """The numbers of the best sentences, in the order of the text, none much like another."""
    if not worth:
        return []
    chosen: list[int] = []
    alike = [0.0] * len(worth)
    # The rest of a long text cannot win: redundancy only ever lowers a score.
    left = sorted(range(len(worth)), key=lambda n: -worth[n])[: 50 + 5 * number]
    while left and len(chosen) < number:
        best = max(left, key=lambda n: worth[n] * (1 - REDUNDANCY * alike[n]))
        left.remove(best)
        if alike[best] > 0.8:
            continue
        chosen.append(best)
        for other in left:
            alike[other] = max(alike[other], _cosine(matrix[best], matrix[other]))
    return sorted(chosen)


def _cosine(one: Vector, other: Vector) -> float:
    small, large = (one, other) if len(one) < len(other) else (other, one)
    return sum(weight * large[term] for term, weight in small.items() if term in large)
