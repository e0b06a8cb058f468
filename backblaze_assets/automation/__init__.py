"""What happens without a click.

- `keep_up_to_date`, a sensor: asks for what is missing or out of date, in ordinary runs over ranges
  of partitions, from a zip that is new in the data folder to the film.
- `fill_by_night`, a schedule: the same by night, for those who switch the sensor off; and it tries
  again what has failed.
- `look_for_new_quarters`, a schedule: downloads what was published since. BACKBLAZE_DOWNLOAD=on.

The sensor is on from the start, so that `dagster dev` is all that is needed, and the schedules are
off. Each has a switch in the UI. They and the command line make what `lineage.plan` says.
"""
