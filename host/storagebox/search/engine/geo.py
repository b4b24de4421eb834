"""Places: how far records are from a point, and which are within circles, boxes and polygons.

A record with several places counts by the nearest, and is within an area if any of them is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from storagebox.search.engine.ragged import Rows
from storagebox.search.engine.snapshot import Snapshot
from storagebox.search.language.geo import Box, Point, Polygon, Step
from storagebox.search.language.query import Query

_EARTH_M: Final = 6_371_008.8  # mean radius, IUGG
NOWHERE: Final = 1 << 40
"""The distance in metres of a record without a place."""

_DENSE: Final = 1000
"""An automatic radius is drawn around so many of the records that match."""


@dataclass(frozen=True, slots=True)
class Distances:
    """Of ascending rows, the distance in metres and the degrees of each one's nearest place."""

    rows: Rows
    metres: NDArray[np.int64]
    degrees: NDArray[np.float64]

    def of(self, rows: Rows) -> NDArray[np.int64]:
        """The distances of some of the rows."""
        return self.metres[np.searchsorted(self.rows, rows)]


def distances(snapshot: Snapshot, rows: Rows, around: Point) -> Distances:
    """How far each of some ascending rows is from a point, along the great circle."""
    owner, places = snapshot.values(snapshot.base.part.places, snapshot.tail.places, rows)
    metres = np.full(len(rows), NOWHERE, np.int64)
    degrees = np.zeros((len(rows), 2))
    far = great_circle_m(around, places)
    # Nearest last, so that it stays.
    order = np.argsort(-far, kind="stable")
    metres[owner[order]] = far[order].astype(np.int64)
    degrees[owner[order]] = places[order]
    return Distances(rows, metres, degrees)


def great_circle_m(point: Point, places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Metres from a point to places float64[n, 2] in degrees, by the haversine formula."""
    lat, lng = np.radians(point.lat), np.radians(point.lng)
    lats, lngs = np.radians(places[:, 0]), np.radians(places[:, 1])
    half = (
        np.sin((lats - lat) / 2) ** 2 + np.cos(lat) * np.cos(lats) * np.sin((lngs - lng) / 2) ** 2
    )
    return 2 * _EARTH_M * np.arcsin(np.sqrt(np.minimum(half, 1.0)))


def steps(metres: NDArray[np.int64], precision: int | Sequence[Step]) -> NDArray[np.int64]:
    """Distances as the criterion compares them: in steps of `precision` metres."""
    if isinstance(precision, int):
        return metres // precision
    result = np.zeros(len(metres), np.int64)
    before = 0
    ends = [*(step.start for step in precision[1:]), NOWHERE + 1]
    for step, end in zip(precision, ends, strict=True):
        within = (metres >= step.start) & (metres < end)
        result[within] = before + 1 + (metres[within] - step.start) // step.value
        before += 1 + (max(end - step.start, 0) - 1) // step.value
    return result


def precision_at(metres: int, precision: int | Sequence[Step]) -> int:
    """The length in metres of the step that a distance is in; 1 where none begins so near."""
    if isinstance(precision, int):
        return precision
    return next((each.value for each in reversed(precision) if each.start <= metres), 1)


def automatic_radius_m(metres: NDArray[np.int64], least: int | None) -> int:
    """A radius by how dense records are: it reaches the 1000 nearest that match."""
    there = metres[metres < NOWHERE]
    if len(there) > _DENSE:
        radius = int(np.partition(there, _DENSE - 1)[_DENSE - 1])
    else:
        radius = int(there.max(initial=0))
    return max(radius, least or 1)


def within_areas(snapshot: Snapshot, query: Query, rows: Rows) -> NDArray[np.bool_] | None:
    """Which ascending rows lie in one of the query's boxes or polygons; None if it has none."""
    areas: Sequence[Box | Polygon] = query.inside_bounding_box or query.inside_polygon
    if not areas:
        return None
    owner, places = snapshot.values(snapshot.base.part.places, snapshot.tail.places, rows)
    inside = np.zeros(len(places), np.bool_)
    for area in areas:
        inside |= _in_box(area, places) if isinstance(area, Box) else _in_polygon(area, places)
    result = np.zeros(len(rows), np.bool_)
    result[owner[inside]] = True
    return result


def _in_box(box: Box, places: NDArray[Any]) -> NDArray[np.bool_]:
    lats, lngs = places[:, 0], places[:, 1]
    if box.west <= box.east:
        across = (lngs >= box.west) & (lngs <= box.east)
    else:  # over the date line
        across = (lngs >= box.west) | (lngs <= box.east)
    return (lats >= box.south) & (lats <= box.north) & across


def _in_polygon(polygon: Polygon, places: NDArray[Any]) -> NDArray[np.bool_]:
    """By the number of edges that a ray to the east crosses."""
    lats, lngs = places[:, 0], places[:, 1]
    inside = np.zeros(len(places), np.bool_)
    points = polygon.points
    for a, b in zip(points, (*points[1:], points[0]), strict=True):
        if a.lat == b.lat:
            continue
        spans = (a.lat > lats) != (b.lat > lats)
        inside ^= spans & (lngs < (b.lng - a.lng) * (lats - a.lat) / (b.lat - a.lat) + a.lng)
    return inside
