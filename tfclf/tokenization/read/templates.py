"""Post-processors: the special tokens around one text, and around two."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tfclf.errors import UnknownComponentError
from tfclf.tokenization.read.parts import kind_of, unknown_part
from tfclf.tokenization.spec import Place, Template, bert_template

_KINDS = ("TemplateProcessing", "BertProcessing", "RobertaProcessing", "ByteLevel")


def template(part: object, path: Path, *, types: bool) -> Template:
    """Read a post_processor.

    >>> part = {"type": "BertProcessing", "cls": ["[CLS]", 101], "sep": ["[SEP]", 102]}
    >>> [place.ids for place in template(part, Path("tokenizer.json"), types=True).single]
    [(101,), None, (102,)]

    Args:
      part: the JSON object, or None.
      types: whether the tokenizer's class gives token types to the model.
    Raises: UnknownComponentError.
    """
    kind = kind_of(part)
    if part is None or kind == "ByteLevel":  # ByteLevel only moves offsets
        return Template(single=(Place(),), pair=(Place(), Place(type=int(types))))
    if not isinstance(part, Mapping):
        raise unknown_part("post_processor", kind, _KINDS, path)
    if kind == "Sequence":
        framing = [each for each in part["processors"] if kind_of(each) != "ByteLevel"]
        if len(framing) > 1:
            kinds = [kind_of(each) for each in framing]
            raise unknown_part("post_processor", kinds, ["one of those alone"], path)
        return template(framing[0] if framing else None, path, types=types)
    if kind == "BertProcessing":
        return bert_template(int(part["cls"][1]), int(part["sep"][1]), types=types)
    if kind == "RobertaProcessing":
        return _roberta(int(part["cls"][1]), int(part["sep"][1]))
    if kind == "TemplateProcessing":
        return _template_processing(part, path, types=types)
    raise unknown_part("post_processor", kind, _KINDS, path)


def _roberta(start: int, end: int) -> Template:
    first, last = Place((start,)), Place((end,))
    return Template(
        single=(first, Place(), last), pair=(first, Place(), Place((end, end)), Place(), last)
    )


def _template_processing(part: Mapping[str, Any], path: Path, *, types: bool) -> Template:
    special = {name: tuple(token["ids"]) for name, token in part["special_tokens"].items()}

    def place(part: Mapping[str, Any]) -> Place:
        if "Sequence" in part:
            return Place(type=part["Sequence"]["type_id"] * types)
        token = part["SpecialToken"]
        return Place(special[token["id"]], token["type_id"] * types)

    def places(sequence: Sequence[Mapping[str, Any]], texts: list[str]) -> tuple[Place, ...]:
        found = [part["Sequence"]["id"] for part in sequence if "Sequence" in part]
        if found != texts:
            raise UnknownComponentError(
                f"{path}: the post_processor's template holds the texts {found}; expected {texts}, "
                f"each once."
            )
        return tuple(place(part) for part in sequence)

    return Template(single=places(part["single"], ["A"]), pair=places(part["pair"], ["A", "B"]))
