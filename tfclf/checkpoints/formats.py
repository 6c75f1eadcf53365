"""Formats of weights that tfclf does not read: each is named, with its way out.

transformers would take some of them for plain numbers, without a word.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tfclf._transformers import refuse_own_code
from tfclf.checkpoints.files import CONFIG, SHARDS, TORCH_WEIGHTS, WEIGHTS
from tfclf.errors import CheckpointError, UnknownFamilyError
from tfclf.families.undeclared import list_tf_classes
from tfclf.tokenization.file_names import TOKENIZER_FILES

_PLAIN = "model.safetensors or tf_model.h5 in float32, float16 or bfloat16"
_SAVE = "save_pretrained(..., safe_serialization=True)"
_MERGE = (
    f"merge it into its base, with peft and torch installed: AutoPeftModelForSequenceClassification"
    f".from_pretrained(...).merge_and_unload().{_SAVE}"
)
_BACK = "take the checkpoint that it was converted from"
_UNQUANTIZED = (
    "take the checkpoint as it was before it was quantized; weights of bitsandbytes can be "
    f"restored, with torch installed: model.dequantize().{_SAVE}"
)

# These files mark an adapter, even beside whole weights: from_pretrained of PyTorch would apply it.
ADAPTERS = ("adapter_config.json", "adapter_model.safetensors", "adapter_model.bin")
# A file's name -> what it is, and the way out; of use if a folder has no weights that are read.
_FILES: tuple[tuple[re.Pattern[str], str, str], ...] = tuple(
    (re.compile(pattern), what, way_out)
    for pattern, what, way_out in (
        (r".*\.gguf", "quantized weights for llama.cpp (GGUF)", _BACK),
        (r".*\.onnx", "an ONNX graph", _BACK),
        (
            r"flax_model.*\.msgpack",
            "Flax weights",
            f"with torch and flax installed: AutoModelForSequenceClassification"
            f".from_pretrained(..., from_flax=True).{_SAVE}",
        ),
        (r"openvino_model\.(xml|bin)", "an OpenVINO model", _BACK),
        (r"rust_model\.ot", "weights for rust-bert", _BACK),
        (
            r"model_head\.pkl",
            "a SetFit head of scikit-learn, a pickle",
            "fine-tune the whole model",
        ),
        (
            r".*\.ckpt\.(index|meta|data-.*)",
            "a checkpoint of TensorFlow 1",
            f"convert it with transformers' convert_..._original_tf_checkpoint_to_pytorch, then "
            f"{_SAVE}",
        ),
        (
            # The state of a Trainer, in files of their own, is no model.
            "|".join(map(re.escape, TORCH_WEIGHTS))
            + r"|(?!optimizer|scheduler|scaler|rng_state).*\.(pt|pth|ckpt)",
            "a pickle, which only torch can read, and torch is not used here",
            f"with torch installed, save the checkpoint again: AutoModelForSequenceClassification"
            f".from_pretrained(...).{_SAVE}",
        ),
    )
)
# Names of weights -> what wrote them, and the way out.
_NAMES: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (
        re.compile(r"(^|\.)(lora_\w+|base_layer|modules_to_save|original_module|ia3_l)(\.|$)"),
        "an adapter (LoRA or another of PEFT) that was not merged",
        _MERGE,
    ),
    (
        re.compile(
            r"\.(SCB|CB|weight_format|qweight|qzeros|g_idx|absmax|quant_map|nested_absmax"
            r"|q_weight|q_scale|q_groups|W_q|codebooks|_data|_scale|input_scale|weight_scale|weight_scale_inv|weight_packed|\w*quant_state\w*)(\.|$)"
        ),
        "quantized weights",
        _UNQUANTIZED,
    ),
)
# Files whose content is read, and what may stand in their place.
_READ = re.compile(
    "|".join(map(re.escape, (*WEIGHTS, *TOKENIZER_FILES)))
    + "|"
    + "|".join(pattern.pattern for pattern in SHARDS.values())
    + r"|.*\.weights\.h5"
)
_PLACEHOLDERS = (
    (
        re.compile(rb"version https://git-lfs"),
        "a pointer of Git LFS",
        "run git lfs install and git lfs pull in its folder, or download it again",
    ),
    (
        re.compile(rb"\s*<(!doctype|html)", re.IGNORECASE),
        "a web page",
        "download it again; the page may say what went wrong",
    ),
)
_QUANTIZED_SETTINGS = ("quantization_config", "compression_config")
QUANTIZED_FILES = ("quantize_config.json", "quant_config.json")
_METHODS = {"awq": "AWQ", "gptq": "GPTQ"}
# These TF classes know the kinds of position embeddings that config.json can ask for.
_RELATIVE_POSITIONS = ("esm",)


def list_foreign_files(folder: Path) -> list[str]:
    """Return the files of a folder in formats that tfclf does not read, the most useful first."""
    names = [path.name for path in folder.glob("*") if describe_file(path) is not None]
    return sorted(names, key=lambda name: (name not in TORCH_WEIGHTS, name))


def describe_file(path: Path) -> str | None:
    """Return what is wrong with a weights file of another format, or None if it is of none.

    >>> print(describe_file(Path("model.onnx")))
    model.onnx is an ONNX graph. Expected model.safetensors or tf_model.h5 in float32, float16 or
    bfloat16; take the checkpoint that it was converted from.
    """
    if path.name in ADAPTERS:
        what, way_out = "of an adapter (LoRA or another of PEFT), which is no model alone", _MERGE
        return f"{path} is {what}. Expected {_PLAIN}; {way_out}."
    for pattern, what, way_out in _FILES:
        if pattern.fullmatch(path.name):
            return f"{path} is {what}. Expected {_PLAIN}; {way_out}."
    return None


def refuse_placeholders(folder: Path) -> None:
    """Refuse a folder in which something else stands in the place of a file that is read.

    A clone without git-lfs leaves pointers, and a failed download leaves a web page. Readers of
    weights and vocabularies would blame the sizes or the pieces.

    Raises: CheckpointError.
    """
    for path in sorted(folder.glob("*")):
        if not (_READ.fullmatch(path.name) and path.is_file()):
            continue
        with path.open("rb") as file:
            head = file.read(64)
        for beginning, what, way_out in _PLACEHOLDERS:
            if beginning.match(head):
                raise CheckpointError(
                    f"{path} ({path.stat().st_size:,} bytes) is {what}. Expected the file itself; "
                    f"{way_out}."
                )


def check(folder: Path, config: Mapping[str, Any]) -> None:
    """Refuse what transformers would read otherwise than training did.

    Args:
      config: config.json.
    Raises: CheckpointError for an adapter, quantized weights, code of the checkpoint's own, files
      that were not downloaded, or positions that the TF class ignores; UnknownFamilyError if
      config.json has no model_type.
    """
    refuse_own_code(folder)
    refuse_placeholders(folder)
    for name in ADAPTERS:
        if (folder / name).is_file():
            raise CheckpointError(str(describe_file(folder / name)))
    _check_quantization(folder, config)
    model_type = config.get("model_type")
    if model_type is None:
        raise UnknownFamilyError(_explain_no_model_type(folder, config))
    positions = config.get("position_embedding_type")
    if positions not in (None, "absolute") and model_type not in _RELATIVE_POSITIONS:
        raise CheckpointError(
            f"{folder / CONFIG}: position_embedding_type is {positions!r}, which the TF class of "
            f"{model_type!r} ignores: only PyTorch's has such positions. Expected 'absolute', or "
            f"none. Fine-tune a checkpoint with absolute positions."
        )


def check_names(names: Iterable[str], file: Path) -> None:
    """Refuse weights that an adapter or a quantization left behind, by their names.

    >>> check_names(["bert.pooler.dense.weight"], Path("model.safetensors"))

    Raises: CheckpointError.
    """
    listed = list(names)
    for pattern, what, way_out in _NAMES:
        marked = sorted(name for name in listed if pattern.search(name))
        if marked:
            raise CheckpointError(
                f"{file} holds {what}: {len(marked)} of its names, among them "
                f"{', '.join(marked[:3])}. Expected {_PLAIN}; {way_out}."
            )


def refuse_numbers(name: str, dtype: str, file: Path) -> CheckpointError:
    """Return the error for a weight that is stored as integers or in 8 bits or fewer."""
    return CheckpointError(
        f"{file}: {name} is stored as {dtype}, so the weights are quantized. Expected {_PLAIN}; "
        f"{_UNQUANTIZED}."
    )


def _check_quantization(folder: Path, config: Mapping[str, Any]) -> None:
    for key in _QUANTIZED_SETTINGS:
        if config.get(key):
            raise CheckpointError(
                f"{folder / CONFIG}: {key} says that the weights are quantized "
                f"({_name_method(config[key])}). Expected {_PLAIN}; {_UNQUANTIZED}."
            )
    for name in QUANTIZED_FILES:
        if (folder / name).is_file():
            raise CheckpointError(
                f"{folder / name} says that the weights are quantized (GPTQ or AWQ). Expected "
                f"{_PLAIN}; {_UNQUANTIZED}."
            )


def _name_method(settings: object) -> str:
    """Return the method of a quantization, with its bits.

    >>> _name_method({"quant_method": "gptq", "bits": 4}), _name_method({"load_in_8bit": True})
    ('GPTQ, 4 bits', 'bitsandbytes, 8 bits')
    """
    if not isinstance(settings, Mapping):
        return repr(settings)
    method = str(settings.get("quant_method", "bitsandbytes"))
    bits = settings.get("bits") or next(
        (bits for bits in (4, 8) if settings.get(f"load_in_{bits}bit")), None
    )
    name = _METHODS.get(method, method)
    return f"{name}, {bits} bits" if bits else name


def _explain_no_model_type(folder: Path, config: Mapping[str, Any]) -> str:
    architectures = config.get("architectures")
    named = architectures[0] if isinstance(architectures, list) and architectures else None
    says = f"; architectures says {named}" if named else ""
    model_type = _guess_model_type(str(named))
    add = f'"model_type": "{model_type}"' if model_type else 'model_type, e.g. "bert"'
    return (
        f"{folder / CONFIG} has no model_type{says}. Expected the type of the model, without which "
        f"nothing says how to run it: add {add}."
    )


def _guess_model_type(architecture: str) -> str | None:
    """Return the model_type of one of transformers' classes.

    >>> _guess_model_type("DistilBertForMaskedLM"), _guess_model_type("Own")
    ('distilbert', None)
    """
    stem = re.sub(r"^TF|(For[A-Z]\w*|Model)$", "", architecture)
    types = {
        tf_class.removeprefix("TF").removesuffix("ForSequenceClassification"): model_type
        for model_type, tf_class in list_tf_classes().items()
    }
    return types.get(stem)
