"""Post-processors: the special tokens around a text, and around two."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tfclf.errors import UnknownComponentError
from tfclf.tokenization.read.parts import kind_of, unknown
from tfclf.tokenization.spec import Place, Template, bert_template

_KINDS = ("TemplateProcessing", "BertProcessing", "RobertaProcessing", "ByteLevel")


def template(part: object, path: Path, *, types: bool) -> Template:
    """`types`: whether the tokenizer's class hands token types to the model at all."""
    kind = kind_of(part)
    if part is None or kind == "ByteLevel":  # which only moves offsets
        return Template(single=(Place(),), pair=(Place(), Place(type=int(types))))
    if not isinstance(part, Mapping):
        raise unknown("post_processor", kind, _KINDS, path)
    if kind == "Sequence":
        framing = [each for each in part["processors"] if kind_of(each) != "ByteLevel"]
        if len(framing) > 1:
            raise unknown(
                "post_processor", [kind_of(each) for each in framing], ["one of those alone"], path
            )
        return template(framing[0] if framing else None, path, types=types)
    if kind == "BertProcessing":
        return bert_template(int(part["cls"][1]), int(part["sep"][1]), types=types)
    if kind == "RobertaProcessing":
        return _roberta(int(part["cls"][1]), int(part["sep"][1]))
    if kind == "TemplateProcessing":
        return _template_processing(part, path, types=types)
    raise unknown("post_processor", kind, _KINDS, path)


def _roberta(start: int, end: int) -> Template:
    first, last = Place((start,)), Place((end,))
    return Template(
        single=(first, Place(), last), pair=(first, Place(), Place((end, end)), Place(), last)
    )


def _template_processing(part: Mapping[str, Any], path: Path, *, types: bool) -> Template:
    special = {name: tuple(token["ids"]) for name, token in part["special_tokens"].items()}

    def places(sequence: Sequence[Mapping[str, Any]], texts: list[str]) -> tuple[Place, ...]:
        found = [part["Sequence"]["id"] for part in sequence if "Sequence" in part]
        if found != texts:
            raise UnknownComponentError(
                f"{path}: the post_processor's template holds the texts {found}; expected {texts}, each once."
            )
        return tuple(
            Place(type=part["Sequence"]["type_id"] * types)
            if "Sequence" in part
            else Place(special[part["SpecialToken"]["id"]], part["SpecialToken"]["type_id"] * types)
            for part in sequence
        )

    return Template(single=places(part["single"], ["A"]), pair=places(part["pair"], ["A", "B"]))
