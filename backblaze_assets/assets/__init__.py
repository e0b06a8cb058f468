"""The Dagster assets, one module each: read inputs, call the domain, write, report metadata."""

import warnings

import dagster as dg

# Backfill policies are marked as beta; saying so for each asset in each process helps nobody.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)
