"""Who makes summaries: the text's own best sentences, or the model of the settings.

A maker has the name that people are told, a recipe by which one knows what it has made before, and
the lane of the queue in which it works, so that however many jobs there are it is asked no more at
once than it can bear, and no slot is busy with waiting for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from quaero.crawl.fetch import Fetcher
from quaero.documents.notes import Kind
from quaero.errors import BadConfig
from quaero.queue.message import Lane
from quaero.settings import Settings
from quaero.summarize import extractive, prompts
from quaero.summarize.asking import Model
from quaero.summarize.local import LocalModel, check_file
from quaero.summarize.server import ServerModel

EXTRACTIVE = "extractive"


@dataclass(frozen=True, slots=True)
class Maker:
    """What makes notes; `model` is None for the text's own sentences."""

    name: str
    version: str
    lane: Lane
    model: Model | None = None

    def recipe(self, kind: Kind) -> str:
        """Names all that would make another note of the same text."""
        return f"{self.version}/{kind.name.lower()}"


class Makers:
    """The makers of this process; a model is made when it is first asked for."""

    def __init__(self, settings: Settings, fetcher: Fetcher) -> None:
        self._settings = settings
        self._fetcher = fetcher
        self._model: Model | None = None

    def get(self, asked: str) -> Maker:
        """The maker for a payload's `model`. Raises `BadConfig` where its settings are missing."""
        summarize, model = self._settings.summarize, self._settings.model
        if EXTRACTIVE in (asked, summarize.model):
            version = f"{EXTRACTIVE}-{extractive.VERSION}-{summarize.sentences}"
            return Maker(EXTRACTIVE, version, Lane("summaries", self._settings.work.helpers))
        if self._model is None:
            check(self._settings)
            local = summarize.model == "local"
            self._model = LocalModel(model) if local else ServerModel(model, self._fetcher)
        version = f"{summarize.model}-{self._model.name}-{prompts.VERSION}-{summarize.sentences}"
        slots = 1 if summarize.model == "local" else model.concurrency
        return Maker(
            self._model.name, version, Lane(f"model:{self._model.name}"[:200], slots), self._model
        )


def check(settings: Settings) -> None:
    """Raise `BadConfig` where the model that the settings ask for is not fully named, or not here.

    Whether a server answers is not looked at.
    """
    kind, model = settings.summarize.model, settings.model
    if kind == "server" and not (model.base_url and model.name):
        missing = "model.base_url" if not model.base_url else "model.name"
        raise BadConfig(f"summarize.model is 'server', but {missing} is not set; name it")
    if kind == "local" and not model.path:
        raise BadConfig("summarize.model is 'local', but model.path is not set; name a GGUF file")
    if kind != EXTRACTIVE and model.max_tokens + prompts.OVERHEAD >= model.context:
        raise BadConfig(
            f"model.max_tokens = {model.max_tokens} leaves no room for a text in "
            f"model.context = {model.context}; make it smaller"
        )
    if kind == "local":
        check_file(model)
