"""The piece of each token id, as transformers' `convert_ids_to_tokens` writes it."""

from collections.abc import Iterable, Iterator, Mapping

from tfclf._transformers import sentencepiece
from tfclf.tokenization.spec import Model, SentencePiece, TokenizerSpec, Unigram, UnigramWords


def list_pieces(spec: TokenizerSpec) -> list[str | None]:
    """Return the pieces in the order of their ids; None for an id that no file names.

    >>> from tfclf.tokenization.spec import AddedToken, WordPiece, bert_template
    >>> template = bert_template(1, 2, types=True)
    >>> model = WordPiece(("[UNK]", "[CLS]", "[SEP]", "play", "##ing"))
    >>> spec = TokenizerSpec((), None, model, (AddedToken("<url>", 6),), template, 0, "right", "")
    >>> list_pieces(spec)
    ['[UNK]', '[CLS]', '[SEP]', 'play', '##ing', None, '<url>']
    """
    named = dict(_name_ids(spec.model))
    # Of two spellings of an added token, as a lower-casing tokenizer matches it, the first counts.
    named |= {token.id: token.content for token in reversed(spec.added_tokens) if token.content}
    named |= dict(spec.names)
    return [named.get(index) for index in range(max(named, default=-1) + 1)]


def _name_ids(model: Model) -> Iterable[tuple[int, str]]:
    if isinstance(model, Unigram):
        return _name_sentencepiece(
            model.model, {piece: ids[0] for piece, ids in enumerate(model.ids) if len(ids) == 1}
        )
    if isinstance(model, SentencePiece):
        return _name_sentencepiece(model.model, dict(enumerate(model.ids)))
    if isinstance(model, UnigramWords):
        return enumerate(piece for piece, _ in model.pieces)
    return enumerate(model.vocabulary)


def _name_sentencepiece(model: bytes, ids: Mapping[int, int]) -> Iterator[tuple[int, str]]:
    """Yield the ids of a SentencePiece model with their pieces.

    A piece that the tokenizer does not know has the unknown piece's id, which is named last.

    Args:
      ids: by the piece's place in the model.
    """
    _, messages = sentencepiece()
    pieces = messages.ModelProto.FromString(model).pieces
    in_order = sorted(ids, key=lambda index: pieces[index].type == pieces[index].UNKNOWN)
    for index in in_order:
        yield ids[index], pieces[index].piece
