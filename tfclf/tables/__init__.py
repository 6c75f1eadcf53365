"""Tables in, tables out: files of rows in bulk, and data frames in memory.

Every column is kept, and the predictions stand beside them:

    tfclf.score_files(model, "rows.parquet", "scored.parquet")
    tfclf.score(df, clf, column="text")
"""

from tfclf.tables.added import Names as Names
from tfclf.tables.frames import score as score
from tfclf.tables.output import Shard as Shard
from tfclf.tables.output import parse_shard as parse_shard
from tfclf.tables.run import PART_ROWS as PART_ROWS
from tfclf.tables.run import Summary as Summary
from tfclf.tables.run import score_files as score_files
from tfclf.tables.scoring import Options as Options
