"""The Spark NLP annotators that can be read: each a declared family with Spark NLP's names, as data.

Source: Spark NLP 5.5.3, com.johnsnowlabs.nlp.annotators.classifier.dl, and `loadSavedModel` there.
"""

from dataclasses import dataclass

_PACKAGE = "com.johnsnowlabs.nlp.annotators.classifier.dl."
PIPELINE = "org.apache.spark.ml.PipelineModel"
# Stages of a pipeline that do no more than hand the text on, in the form that Spark NLP wants it in.
HARMLESS_STAGES = ("DocumentAssembler", "Finisher", "Tokenizer", "TokenizerModel", "RegexTokenizer")


@dataclass(frozen=True)
class Annotator:
    """One annotator class.

    Attributes:
      model_type: the family's.
      tokenizer_class: of transformers, with which its models are trained.
      vocabulary: the file that this tokenizer reads: vocab.txt, vocab.json or a SentencePiece file.
      sentencepiece: the archive's file with the SentencePiece model; None where fields hold the vocabulary.
      case: whether `caseSensitive` is for the tokenizer to follow. RoBERTa's kin know no other than true.
      case_sensitive: where an archive does not say it.
    """

    model_type: str
    tokenizer_class: str
    vocabulary: str
    sentencepiece: str | None = None
    case: bool = False
    case_sensitive: bool = True


ANNOTATORS = {
    f"{_PACKAGE}{name}ForSequenceClassification": annotator
    for name, annotator in {
        "Albert": Annotator(
            "albert",
            "AlbertTokenizer",
            "spiece.model",
            "albert_spp",
            case=True,
            case_sensitive=False,
        ),
        "Bert": Annotator("bert", "BertTokenizer", "vocab.txt", case=True),
        "CamemBert": Annotator(
            "camembert", "CamembertTokenizer", "sentencepiece.bpe.model", "camembert_spp"
        ),
        "DistilBert": Annotator("distilbert", "DistilBertTokenizer", "vocab.txt", case=True),
        "RoBerta": Annotator("roberta", "RobertaTokenizer", "vocab.json"),
        "XlmRoBerta": Annotator(
            "xlm-roberta", "XLMRobertaTokenizer", "sentencepiece.bpe.model", "xlmroberta_spp"
        ),
    }.items()
}


def short(class_name: str) -> str:
    """The name without its package."""
    return class_name.rpartition(".")[2]
