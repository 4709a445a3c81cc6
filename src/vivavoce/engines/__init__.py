"""Engines: models that hear, think and speak, each behind a small Protocol (`engines.api`), one file per model."""
