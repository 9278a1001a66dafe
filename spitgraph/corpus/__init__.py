"""Token graphs of many pictures, as Parquet files."""
