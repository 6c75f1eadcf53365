"""The file of an export's pieces: written, read, and missing or broken."""

from pathlib import Path

import pytest

from tfclf.saved_model.pieces import has_pieces, read_pieces, write_pieces

PIECES = ["[UNK]", "##ing", "\u2581the", "\u0120the", "\u4eca", None, '"\\']


def test_pieces_are_read_as_they_were_written(tmp_path: Path) -> None:
    write_pieces(tmp_path, PIECES)
    assert list(read_pieces(tmp_path)) == PIECES
    assert has_pieces(tmp_path)


def test_an_older_export_has_none(tmp_path: Path) -> None:
    assert not has_pieces(tmp_path)
    assert read_pieces(tmp_path) == ()


@pytest.mark.parametrize("content", [b"[", b"\xff", b"{}", b'"a"', b"null"])
def test_a_broken_file_is_as_none(tmp_path: Path, content: bytes) -> None:
    write_pieces(tmp_path, PIECES)
    (tmp_path / "assets.extra" / "pieces.json").write_bytes(content)
    assert read_pieces(tmp_path) == ()


def test_what_is_no_piece_has_no_name(tmp_path: Path) -> None:
    write_pieces(tmp_path, [])
    (tmp_path / "assets.extra" / "pieces.json").write_text('["a", 1, ["b"], null]')
    assert read_pieces(tmp_path) == ("a", None, None, None)
