"""Names of the files that a Hugging Face tokenizer is saved in.

>>> [name for name in VOCABULARY_FILES if name.endswith(".model")] == list(SENTENCEPIECE_FILES)
True
"""

TOKENIZER_JSON = "tokenizer.json"
VOCAB_TXT = "vocab.txt"
VOCAB_JSON = "vocab.json"
MERGES_TXT = "merges.txt"
DEBERTA_FILE = "spm.model"
SENTENCEPIECE_FILES = (
    "spiece.model",
    "sentencepiece.bpe.model",
    "sentencepiece.model",
    DEBERTA_FILE,
)
VOCABULARY_FILES = (TOKENIZER_JSON, VOCAB_TXT, VOCAB_JSON, MERGES_TXT, *SENTENCEPIECE_FILES)

TOKENIZER_CONFIG = "tokenizer_config.json"
# Options and added tokens; none of these files holds a vocabulary.
SETTINGS_FILES = (TOKENIZER_CONFIG, "special_tokens_map.json", "added_tokens.json")

TOKENIZER_FILES = (*VOCABULARY_FILES, *SETTINGS_FILES)
