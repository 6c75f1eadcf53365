"""The options of the page. Importing this module imports neither TensorFlow nor gRPC."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tfclf.saved_model.manifest import Manifest

Example = Mapping[str, str]
"""A text to try: `text`, and `text_pair` where two belong together."""


def _find_no_examples(_name: str, _manifest: Manifest | None) -> Sequence[Example]:
    return ()


@dataclass(frozen=True)
class Page:
    """Options of the page.

    Attributes:
      find_examples: returns texts to try, for a model's name and its manifest; the manifest is None
        if tfclf did not make the model.
    """

    find_examples: Callable[[str, Manifest | None], Sequence[Example]] = _find_no_examples
