"""Measures the truth: what left every DAC when, against what should have. See docs/measurement.md.

`report.measure` turns a run into figures; `plot.plot` draws it; `wav.write_room` lets it be heard;
`live.LiveError` tells the true error while the music plays.
"""
