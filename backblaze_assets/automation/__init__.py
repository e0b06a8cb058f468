"""What happens without a click.

- `new_zips`, a sensor: a zip that is new in the data folder, or has changed, is imported.
- `follow_inputs`, a sensor, with the condition `out_of_date` on every asset downstream: what is
  missing or out of date is made, one run per asset, once everything above it is done.
- `look_for_new_quarters`, a schedule: downloads what was published since. BACKBLAZE_DOWNLOAD=on.
- `fill_by_night`, a schedule: instead of the sensors, or to try again what has failed.

Both sensors are on from the start, so that `dagster dev` is all that is needed, and both schedules
are off. Each has a switch in the UI. All of them, the command line and the steps themselves
find out from the same `lineage` what there is to do, so none of them does again what another did.
"""
