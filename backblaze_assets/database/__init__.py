"""All results as tables of one DuckDB database: questions in SQL, and what columns hold.

The database has views of the Parquet files and no data of its own but the published figures. It
imports no Dagster.
"""
