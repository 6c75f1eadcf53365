"""A model's folder holds numbered versions, as TF Serving has it."""

from pathlib import Path


def saved_model_folder(folder: Path) -> Path | None:
    """The folder itself if it holds a SavedModel, else its highest-numbered version, else None."""
    if (folder / "saved_model.pb").is_file():
        return folder
    if not folder.is_dir():
        return None
    versions = [entry for entry in folder.iterdir() if entry.name.isdecimal() and (entry / "saved_model.pb").is_file()]
    return max(versions, key=lambda entry: int(entry.name), default=None)
