"""How an episode opens in the Rerun viewer: pictures and depth on the left, the scene over the plots on the right.

Views are only made for what is there. What lies under the paths is written in `rerun_file`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from episode_assets.bundle import rerun_names as names

if TYPE_CHECKING:
    import rerun.blueprint as rrb

BACKGROUND = (30, 30, 30)


def blueprint(logged: Collection[str]) -> rrb.Blueprint:
    """Return the layout for a file that holds these entities (paths, as in `rerun_names`)."""
    import rerun.blueprint as rrb

    left, right = _pictures(logged), [_scene(logged), *_plots(logged)]
    columns = [rrb.Vertical(*left)] if left else []
    shares = [5, *([1] * (len(right) - 1))]
    columns.append(rrb.Vertical(*right, row_shares=shares))
    return rrb.Blueprint(
        rrb.Horizontal(*columns, column_shares=[1, 2][-len(columns) :]),
        rrb.TimePanel(timeline=names.TIME, state="collapsed"),
        rrb.BlueprintPanel(state="collapsed"),
        rrb.SelectionPanel(state="collapsed"),
        auto_views=False,
        auto_layout=False,
    )


def _pictures(logged: Collection[str]) -> list[rrb.Spatial2DView]:
    import rerun.blueprint as rrb

    views = []
    if names.PICTURE in logged:
        views.append(rrb.Spatial2DView(origin=names.PICTURE, contents="$origin", name="video"))
        views.append(rrb.Spatial2DView(origin=names.PICTURE, contents="$origin/**", name="video and hands"))
    if names.DEPTH in logged:
        views.append(rrb.Spatial2DView(origin=names.DEPTH, name="depth"))
    return views


def _scene(logged: Collection[str]) -> rrb.Spatial3DView:
    import rerun.blueprint as rrb

    # Without poses there is no world to stand in; everything is where the camera sees it.
    origin = names.WORLD if names.CAMERA in logged else names.OPTICAL
    # The points of depth and of the cloud lie on the mesh, and hide it.
    hidden = [f"- /{path}/**" for path in (names.DEPTH, names.CLOUD)] if names.MESH in logged else []
    return rrb.Spatial3DView(
        origin=origin,
        contents=["$origin/**", *hidden],
        name="scene",
        background=BACKGROUND,
        eye_controls=rrb.EyeControls3D(kind=rrb.Eye3DKind.Orbital, tracking_entity=f"/{names.OPTICAL}"),
    )


def _plots(logged: Collection[str]) -> list[rrb.Horizontal | rrb.StateTimelineView]:
    import rerun.blueprint as rrb

    plots: list[rrb.Horizontal | rrb.StateTimelineView] = []
    if names.ACCELERATION in logged:
        plots.append(
            rrb.Horizontal(
                rrb.TimeSeriesView(origin=names.ACCELERATION, name="acceleration, m/s2"),
                rrb.TimeSeriesView(origin=names.GYRO, name="angular velocity, rad/s"),
            )
        )
    if names.TRACKING_STATE in logged:
        plots.append(rrb.StateTimelineView(origin="/tracking", name="tracking"))
    return plots
