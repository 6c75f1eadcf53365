"""The models of `tfclf evaluate`: loaded here, or asked on a server."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tfclf._tensorflow import quiet_start
from tfclf.catalog import resolve as sources
from tfclf.errors import InputError, SourceError
from tfclf.evaluation import Subject
from tfclf.evaluation.provenance import facts_of
from tfclf.prediction import Prediction
from tfclf.problem_types import MULTI_LABEL, REGRESSION
from tfclf.sample_texts import HEADLINES
from tfclf.saved_model.versions import latest_version

if TYPE_CHECKING:
    from tfclf.client import Client


@dataclass(frozen=True)
class Model:
    """One that is evaluated.

    Attributes:
      names: under which it may have a card.
      facts: what a report says of it.
      here: whether it runs in this process.
    """

    subject: Subject
    names: tuple[str, ...]
    facts: Mapping[str, str]
    here: bool

    @property
    def place(self) -> str:
        """Where it is: as it was given, or on which server."""
        facts = self.facts
        return (
            facts.get("source")
            or f"{facts['name']} at {facts['server']}, version {facts['version']}"
        )


@dataclass(frozen=True)
class Served:
    """Where to ask for a model.

    Attributes:
      model: what the server calls it; None: 'default', as the client has it.
      version: a number or a label; None: the latest.
    """

    address: str
    model: str | None = None
    version: str | None = None


def loaded(source: str, *, xla: bool | None, batch_size: int, progress: bool) -> Model:
    """A model in this process. Raises: InputError for a regression; as `tfclf.load`."""
    with quiet_start():
        from tfclf.loader import load

    classifier = load(source, xla=xla)
    manifest = classifier.manifest
    if manifest.problem_type == REGRESSION:
        raise InputError(
            f"{source} is a regression; expected a classifier: only classification is measured here."
        )

    def predict(texts: Iterable[str]) -> Iterable[Prediction]:
        return classifier.predict(texts, batch_size=batch_size, progress=progress)

    independent = manifest.problem_type == MULTI_LABEL
    return Model(
        Subject(manifest.name, predict, classifier.labels, independent=independent),
        names=(source, manifest.name),
        facts=facts_of(manifest, source=source, version=_version(source)),
        here=True,
    )


@contextmanager
def asked(served: Served, *, xla: bool | None, batch_size: int, progress: bool) -> Iterator[Model]:
    """A model on a server: one version of it, whatever the server swaps meanwhile.

    Raises: ClientError; InputError for a regression.
    """
    from tfclf.client import Client
    from tfclf.client.address import GRPC, Address

    if Address.parse(served.address).protocol == GRPC:
        with quiet_start():  # the stubs import TensorFlow
            pass
    version: int | str | None = served.version
    if served.version is not None and served.version.isdigit():
        version = int(served.version)
    with Client(served.address, model=served.model, version=version) as client:
        number = client.metadata().version
    with Client(
        served.address, model=served.model, version=number, xla=bool(xla), batch_size=batch_size
    ) as client:
        labels, independent = _labels(client, served.address)

        def predict(texts: Iterable[str]) -> Iterable[Prediction]:
            return client.predict(texts, progress=progress)

        name = served.model or "default"
        facts = {
            "name": name,
            "server": served.address,
            "version": str(number),
            "labels": ", ".join(labels),
        }
        yield Model(
            Subject(name, predict, labels, independent=independent), (name,), facts, here=False
        )


def told_apart(first: Model, second: Model) -> tuple[Model, Model]:
    """Two models under names that differ: their own, or where they are."""
    if first.subject.name != second.subject.name:
        return first, second
    names = (first.place, second.place)
    if first.place == second.place:
        names = (f"{first.place} (first)", f"{second.place} (second)")
    return _renamed(first, names[0]), _renamed(second, names[1])


def _renamed(model: Model, name: str) -> Model:
    return replace(model, subject=replace(model.subject, name=name))


def _version(source: str) -> int | None:
    try:
        return latest_version(sources.find(source).path).number
    except SourceError:  # no export
        return None


def _labels(client: "Client", address: str) -> tuple[tuple[str, ...], bool]:
    """In order, and whether each has a probability by itself, which no server's metadata says."""
    answers = client.predict(list(HEADLINES[:4]))
    shares = [
        prediction.probabilities for prediction in answers if prediction.probabilities is not None
    ]
    if not shares:
        raise InputError(
            f"the model at {address} is a regression; expected a classifier: only classification is measured here."
        )
    # Those of a softmax add up to 1 on every text; those of sigmoids would on several only by a miracle.
    independent = any(abs(sum(by_label.values()) - 1) > 1e-3 for by_label in shares)
    return tuple(shares[0]), independent
