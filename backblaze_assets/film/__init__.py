"""The drawing: layout, frames and video as pure functions. Imports no Dagster."""
