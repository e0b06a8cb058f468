"""The drawing: layout, frames and video as pure functions. Imports no Dagster.

From data to film, each step from what the one before has made:

- `extend.extend`: the layout of a quarter from that of the quarter before, the quarter's drive
  lifetimes and the daily statistics of its trailing year. It carries all that a frame needs beside
  the drives (`layout`): where blocks stand (`scene`, `packing`), rates (`rates`), what comes true
  (`news`) and is said when (`captions`), figures.
- `frames.render_quarters`: a JPEG file for each day, drawn by a renderer (`render`, with `fleet`,
  `colours`, `glide`, `labels`, `marks`, `rings`, `panel`, `chart`).
- `encode.encode_clips`: a quarter's frames as H.264.
- `movie.make_movie`: title (`cards`), clips and end card, with subtitles and chapters.
- `share.make_share`: what people post of it.
- `quality`: what pictures and films are checked for.
"""
