"""The models of `tfclf evaluate`: loaded in this process, or reached on a server."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tfclf.catalog import resolve as sources
from tfclf.cli.startup import start_tensorflow
from tfclf.errors import InputError, SourceError
from tfclf.evaluation import Subject
from tfclf.evaluation.provenance import facts_of
from tfclf.explanation import Explanation
from tfclf.prediction import Prediction
from tfclf.problem_types import MULTI_LABEL, REGRESSION
from tfclf.sample_texts import HEADLINES
from tfclf.saved_model import signature_names
from tfclf.saved_model.versions import latest_version

if TYPE_CHECKING:
    from tfclf.client import Client


@dataclass(frozen=True)
class Model:
    """A model to evaluate.

    Attributes:
      names: names under which it may have a card.
      facts: facts about it that a report shows.
      here: whether it runs in this process.
      explain: explains texts; None if the server's export is older than that.
    """

    subject: Subject
    names: tuple[str, ...]
    facts: Mapping[str, str]
    here: bool
    explain: Callable[[list[str]], list[Explanation]] | None = None

    @property
    def place(self) -> str:
        """The source as it was given, or the server and the version there."""
        facts = self.facts
        return (
            facts.get("source")
            or f"{facts['name']} at {facts['server']}, version {facts['version']}"
        )


@dataclass(frozen=True)
class Served:
    """The address of a model on a server.

    Attributes:
      model: its name on the server; None: the server's only model.
      version: a number or a label; None: the latest.
    """

    address: str
    model: str | None = None
    version: str | None = None


def load_model(source: str, *, xla: bool | None, batch_size: int, progress: bool) -> Model:
    """Load a model into this process, in which `start_to_predict` has started TensorFlow.

    Raises: InputError for a regression; as `tfclf.load`.
    """
    from tfclf.loader import load

    classifier = load(source, xla=xla)
    manifest = classifier.manifest
    if manifest.problem_type == REGRESSION:
        raise InputError(
            f"{source} is a regression; "
            f"expected a classifier: only classification is measured here."
        )

    def predict(texts: Iterable[str]) -> Iterable[Prediction]:
        return classifier.predict(texts, batch_size=batch_size, progress=progress)

    independent = manifest.problem_type == MULTI_LABEL
    return Model(
        Subject(manifest.name, predict, classifier.labels, independent=independent),
        names=(source, manifest.name),
        facts=facts_of(manifest, source=source, version=_find_version(source)),
        here=True,
        explain=classifier.explain,
    )


@contextmanager
def connect_model(
    served: Served, *, xla: bool | None, batch_size: int, progress: bool
) -> Iterator[Model]:
    """Connect to a model on a server; keep to one version even if the server swaps versions.

    Raises: ClientError; InputError for a regression.
    """
    from tfclf.client import Client
    from tfclf.client.address import GRPC, Address

    if Address.parse(served.address).protocol == GRPC:
        start_tensorflow()  # the gRPC stubs import it
    version: int | str | None = served.version
    if served.version is not None and served.version.isdigit():
        version = int(served.version)
    with Client(served.address, model=served.model, version=version) as client:
        metadata = client.metadata()
    name, number = metadata.model, metadata.version  # of the server's only model, if none is named
    with Client(
        served.address, model=name, version=number, xla=bool(xla), batch_size=batch_size
    ) as client:
        labels, independent = _probe_labels(client, served.address)

        def predict(texts: Iterable[str]) -> Iterable[Prediction]:
            return client.predict(texts, progress=progress)

        facts = {
            "name": name,
            "server": served.address,
            "version": str(number),
            "labels": ", ".join(labels),
        }
        yield Model(
            Subject(name, predict, labels, independent=independent),
            (name,),
            facts,
            here=False,
            explain=client.explain if signature_names.EXPLAIN in metadata.signatures else None,
        )


def distinguish(first: Model, second: Model) -> tuple[Model, Model]:
    """Give two models different names: their own, or else their places."""
    if first.subject.name != second.subject.name:
        return first, second
    names = (first.place, second.place)
    if first.place == second.place:
        names = (f"{first.place} (first)", f"{second.place} (second)")
    return _rename(first, names[0]), _rename(second, names[1])


def _rename(model: Model, name: str) -> Model:
    return replace(model, subject=replace(model.subject, name=name))


def _find_version(source: str) -> int | None:
    try:
        return latest_version(sources.find(source).path).number
    except SourceError:  # not an export
        return None


def _probe_labels(client: "Client", address: str) -> tuple[tuple[str, ...], bool]:
    """Return the labels in order, and whether each has a probability of its own.

    No server's metadata has these, so predict a few texts and look.
    """
    predictions = client.predict(list(HEADLINES[:4]))
    probabilities = [one.probabilities for one in predictions if one.probabilities is not None]
    if not probabilities:
        raise InputError(
            f"the model at {address} is a regression; "
            f"expected a classifier: only classification is measured here."
        )
    # Softmax outputs add up to 1 for every text; sigmoid outputs hardly do for several texts.
    independent = any(abs(sum(by_label.values()) - 1) > 1e-3 for by_label in probabilities)
    return tuple(probabilities[0]), independent
