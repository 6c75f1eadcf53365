"""The Spark NLP annotators that can be read: each a declared family under Spark NLP's names.

Source: Spark NLP 5.5.3, com.johnsnowlabs.nlp.annotators.classifier.dl, and `loadSavedModel` there.
"""

from dataclasses import dataclass

_PACKAGE = "com.johnsnowlabs.nlp.annotators.classifier.dl."
PIPELINE = "org.apache.spark.ml.PipelineModel"
# Pipeline stages that only pass the text on, in the form that Spark NLP needs.
HARMLESS_STAGES = ("DocumentAssembler", "Finisher", "Tokenizer", "TokenizerModel", "RegexTokenizer")


@dataclass(frozen=True)
class Annotator:
    """One annotator class.

    Attributes:
      model_type: the family's.
      tokenizer_class: the class of transformers that its models are trained with.
      vocabulary: the file that this tokenizer reads: vocab.txt, vocab.json or a SentencePiece file.
      sentencepiece: the archive's SentencePiece file; None if fields hold the vocabulary.
      follows_case: whether the tokenizer follows `caseSensitive`. RoBERTa's kin are always case
        sensitive.
      case_sensitive: the value if an archive states none.
    """

    model_type: str
    tokenizer_class: str
    vocabulary: str
    sentencepiece: str | None = None
    follows_case: bool = False
    case_sensitive: bool = True


ANNOTATORS = {
    f"{_PACKAGE}{name}ForSequenceClassification": annotator
    for name, annotator in {
        "Albert": Annotator(
            "albert",
            "AlbertTokenizer",
            "spiece.model",
            "albert_spp",
            follows_case=True,
            case_sensitive=False,
        ),
        "Bert": Annotator("bert", "BertTokenizer", "vocab.txt", follows_case=True),
        "CamemBert": Annotator(
            "camembert", "CamembertTokenizer", "sentencepiece.bpe.model", "camembert_spp"
        ),
        "DistilBert": Annotator(
            "distilbert", "DistilBertTokenizer", "vocab.txt", follows_case=True
        ),
        "RoBerta": Annotator("roberta", "RobertaTokenizer", "vocab.json"),
        "XlmRoBerta": Annotator(
            "xlm-roberta", "XLMRobertaTokenizer", "sentencepiece.bpe.model", "xlmroberta_spp"
        ),
    }.items()
}


def short_name(class_name: str) -> str:
    """Return a class's name without its package.

    >>> short_name("com.johnsnowlabs.nlp.DocumentAssembler")
    'DocumentAssembler'
    """
    return class_name.rpartition(".")[2]
