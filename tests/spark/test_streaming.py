"""Structured Streaming: files in, Parquet out, stopped and started again."""

import json
import time
from pathlib import Path
from typing import Any

from tests.spark.conftest import BUNDLED, HEADLINES
from tfclf.spark import classify

_PER_FILE = 5


def test_a_stream_that_is_started_again_scores_each_row_once(spark: Any, tmp_path: Path) -> None:
    source, output, checkpoint = (tmp_path / name for name in ("in", "out", "checkpoint"))
    source.mkdir()
    for number in range(4):
        _write_file(source, number)
    stream = spark.readStream.schema("id long, text string").option("maxFilesPerTrigger", 1)
    scored = classify(stream.json(str(source)), BUNDLED)

    def begin(**trigger: Any) -> Any:
        writer = scored.writeStream.format("parquet").trigger(**trigger)
        return writer.option("checkpointLocation", str(checkpoint)).start(str(output))

    query = begin(processingTime="0 seconds")
    while query.isActive and query.lastProgress is None:
        time.sleep(0.01)
    query.stop()
    assert query.exception() is None
    first = spark.read.parquet(str(output)).count()
    assert first >= _PER_FILE
    for number in range(4, 6):
        _write_file(source, number)
    query = begin(availableNow=True)
    assert query.awaitTermination(120)
    rows = spark.read.parquet(str(output)).select("id", "prediction.label").collect()
    assert sorted(row.id for row in rows) == list(range(6 * _PER_FILE))
    assert {row.label for row in rows} == {"World", "Sports", "Business", "Sci/Tech"}


def _write_file(folder: Path, number: int) -> None:
    ids = range(number * _PER_FILE, (number + 1) * _PER_FILE)
    lines = [json.dumps({"id": one, "text": HEADLINES[one % 4]}) for one in ids]
    beside = folder / f".{number}.json"
    beside.write_text("\n".join(lines), encoding="utf-8")
    beside.rename(folder / f"{number}.json")
