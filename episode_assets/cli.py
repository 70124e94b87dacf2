"""The command line `episode-assets`: what a person types, and what a shell script can rely on.

Commands parse, call one function of the package and print. Results go to the standard output, progress and failures to
the error stream. Exit codes: 0 all done, 1 something failed (one line each), 2 the call itself was wrong, 130 stopped
by Ctrl-C. Dagster is imported inside the commands that run something, so that `inspect` and `models` answer at once.
"""

from __future__ import annotations

import json
import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from episode_assets import __version__
from episode_assets.command_line import (
    FAILED,
    exit_code,
    json_option,
    one_line_errors,
    open_store,
    resolve_places,
    say,
    store_option,
)
from episode_assets.console import (
    Bars,
    describe_audit,
    describe_faces,
    describe_repair,
    megabytes,
    printable,
    redaction_table,
    table,
)
from episode_assets.errors import ArtifactDamaged, BadConfig, EpisodeAssetsError

if TYPE_CHECKING:
    from episode_assets.defs.launch import RunResult
    from episode_assets.instance import Places
    from episode_assets.pipeline import Standing
    from episode_assets.storage import ArtifactKey, Naming, RecordingEntry, Store

LONGEST_NAME_BYTES = 255


class _Commands(click.Group):
    """Imports the commands of datasets where they are asked for: they bring the encoders with them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), "dataset"])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name != "dataset":
            return super().get_command(ctx, cmd_name)
        from episode_assets.dataset_cli import dataset

        return dataset


@click.group(cls=_Commands)
@click.version_option(__version__, prog_name="episode-assets")
def main() -> None:
    """Turn first-person RGB-D recordings into face-blurred video, hand poses, episodes and LeRobot datasets."""


@main.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@store_option
@click.option("--task", help="What is done in the recordings, in words; written into every episode.")
@click.option(
    "--workers", type=click.IntRange(min=1), help="Chunk worker processes; default: the cores, at most 4."
)
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="Settings file (YAML).")
@click.option(
    "--profile",
    metavar="NAME",
    help="fast, default or thorough: whole sets of settings for faces and hands. What the settings file sets by itself "
    "still counts.",
)
@one_line_errors
def run(
    files: tuple[str, ...],
    store_uri: str | None,
    task: str | None,
    workers: int | None,
    config_file: Path | None,
    profile: str | None,
) -> None:
    """Run every asset for the given recordings, here and now, into the instance that the UI shows."""
    places = resolve_places(store_uri)
    failed = _run(files, places, task=task, workers=workers, config_file=config_file, profile=profile)
    sys.exit(FAILED if failed else 0)


@main.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@store_option
@click.option("--task", help="What is done in the recordings, in words.")
@one_line_errors
def add(files: tuple[str, ...], store_uri: str | None, task: str | None) -> None:
    """Register recordings as partitions without running anything."""
    from episode_assets.pipeline.settings import load_settings

    naming = load_settings().recording_ids
    entries, some_refused = _register(open_store(resolve_places(store_uri)), files, task=task, naming=naming)
    import dagster as dg

    from episode_assets.defs.partitions import add_recordings

    with dg.DagsterInstance.get() as instance:
        add_recordings(instance, [entry.recording_id for entry in entries])
    for entry in entries:
        click.echo(entry.recording_id)
    sys.exit(FAILED if some_refused else 0)


@main.command()
@store_option
@json_option
@one_line_errors
def status(store_uri: str | None, as_json: bool) -> None:
    """Show where every asset of every recording stands: current, or what is missing or out of date and why."""
    from episode_assets.pipeline import standing_of
    from episode_assets.pipeline.settings import load_settings

    store = open_store(resolve_places(store_uri))
    settings = load_settings()
    standings = [s for entry in store.recordings.list() for s in standing_of(store, entry, settings)]
    datasets = _datasets(store, list(settings.recipes))
    if as_json:
        click.echo(json.dumps(_status_document(store, standings, datasets), indent=2, sort_keys=True))
        return
    rows: list[tuple[str, ...]] = [
        (s.recording_id, s.asset, s.state, s.artifact.version if s.artifact else "-", s.reason)
        for s in standings
    ]
    rows += [("(all)", name, "published", path.split("/")[-1], "") for name, path in datasets.items()]
    click.echo(table(rows, ("recording", "asset", "state", "version", "why")))


@main.command()
@click.argument("file", metavar="URI")
@json_option
@one_line_errors
def inspect(file: str, as_json: bool) -> None:
    """Show what a recording holds, and what each asset will be able to make of it; nothing is registered.

    URI is a path or any fsspec address. Of an indexed recording only the index and a few messages are read.
    """
    from episode_assets.inspection_text import describe, document
    from episode_assets.pipeline.prospects import prospects_of
    from episode_assets.recording import inspect as inspect_recording

    inventory = inspect_recording(_address(file))
    prospects = prospects_of(inventory)
    if as_json:
        click.echo(json.dumps(document(inventory, prospects, file), indent=2, sort_keys=True))
    else:
        click.echo(describe(inventory, prospects))


@main.command()
@click.argument("files", nargs=-1, required=True, metavar="IN...")
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--compression",
    type=click.Choice(["zstd", "lz4", "none"]),
    default="zstd",
    show_default=True,
    help="How the chunks of OUT are packed.",
)
@click.option("--force", is_flag=True, help="Replace OUT if it exists.")
@one_line_errors
def repair(files: tuple[str, ...], out: Path, compression: str, force: bool) -> None:
    """Write what is readable of a recording into a whole MCAP file OUT.

    IN is a damaged recording, a bag, the parts of a split recording in order, or a directory that holds them.
    """
    from episode_assets.recording.repair import repair as repair_recording

    bars = Bars()
    try:
        report = repair_recording(
            [_recording_address(file) for file in files],
            out,
            compression=compression,
            force=force,
            progress=bars,
        )
    finally:
        bars.close()
    click.echo(describe_repair(report))
    if not report.is_complete:
        click.echo(f"warning: parts of the recording are lost; {out} holds what was readable", err=True)


@main.command("open")
@click.argument("recording_id")
@store_option
@click.option("--print", "only_print", is_flag=True, help="Print the path instead of opening a browser.")
@one_line_errors
def open_report(recording_id: str, store_uri: str | None, only_print: bool) -> None:
    """Open the quality report of a recording in the browser."""
    from episode_assets.storage import ArtifactKey

    path = (
        open_store(resolve_places(store_uri))
        .latest(ArtifactKey("qc_report", recording_id))
        .path("report.html")
    )
    if not only_print:
        webbrowser.open(path.as_uri())
    click.echo(str(path))


@main.command()
@store_option
@click.option("--print", "only_print", is_flag=True, help="Print the path instead of opening a browser.")
@one_line_errors
def report(store_uri: str | None, only_print: bool) -> None:
    """Bring the page over all recordings up to date and open it: scores, findings, hours, near-duplicates."""
    import dagster as dg

    from episode_assets.definitions import build_defs
    from episode_assets.defs import launch
    from episode_assets.defs.resources import PipelineResource
    from episode_assets.pipeline.archive import ARCHIVE_REPORT
    from episode_assets.qc.archive import ARCHIVE_PAGE
    from episode_assets.storage import ArtifactKey

    places = resolve_places(store_uri)
    store, bars = open_store(places), Bars()
    defs = build_defs(pipeline=PipelineResource(store_uri=places.store))
    with dg.DagsterInstance.get() as instance:
        failed = launch.report(defs, instance, progress=bars).failures
    bars.close()
    for item in failed:
        click.echo(f"error: {item.asset}: {printable(item.failure or '')}", err=True)
    if failed:
        sys.exit(FAILED)
    path = store.latest(ArtifactKey(ARCHIVE_REPORT)).path(ARCHIVE_PAGE)
    if not only_print:
        webbrowser.open(path.as_uri())
    click.echo(str(path))


@main.command()
@click.argument("recording_id")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--asset", default="episode_bundle", show_default=True, help="Which asset to copy.")
@store_option
@one_line_errors
def export(recording_id: str, directory: Path, asset: str, store_uri: str | None) -> None:
    """Copy a published artifact into a directory of your own, writable."""
    from episode_assets.storage import ArtifactKey

    click.echo(str(open_store(resolve_places(store_uri)).export(ArtifactKey(asset, recording_id), directory)))


@main.command()
@click.argument("recording_id")
@store_option
@click.option("--reason", default="unspecified", show_default=True, help="Why, in one word; it is published.")
@click.option("--box", metavar="X0,Y0,X1,Y1", help="Hide a box; x right, y down, pixels of the recording.")
@click.option("--polygon", metavar="'X,Y X,Y X,Y ...'", help="Hide a polygon, corners in order around it.")
@click.option("--picture", is_flag=True, help="Hide the whole picture.")
@click.option("--relative", is_flag=True, help="Corners are shares of width and height instead of pixels.")
@click.option("--seconds", metavar="A:B", help="As a player of the video shows them.")
@click.option("--frames", metavar="A:B", help="Frames of the published video; written down as stamps.")
@click.option("--messages", metavar="A:B", help="Message numbers of the colour stream.")
@click.option("--stamps-ns", metavar="A:B", help="Stamps of the pictures in nanoseconds.")
@click.option("--all", "whole", is_flag=True, help="The whole recording.")
@click.option("--remove", type=int, metavar="NUMBER", help="Remove an entry of the store's document.")
@one_line_errors
def redact(
    recording_id: str,
    store_uri: str | None,
    reason: str,
    box: str | None,
    polygon: str | None,
    picture: bool,
    relative: bool,
    seconds: str | None,
    frames: str | None,
    messages: str | None,
    stamps_ns: str | None,
    whole: bool,
    remove: int | None,
) -> None:
    """Hide a screen, a document, a mirror or a person in a recording; without a shape, list what is hidden.

    Both ends of A:B are hidden. The entry is written into the store, beside what is registered about the recording;
    a document of the same kind may also lie beside the recording (FILE.redactions.yaml), and all entries count.
    """
    from episode_assets.pipeline import redacting
    from episode_assets.pipeline.settings import load_settings

    store = open_store(resolve_places(store_uri))
    entry: dict[str, object] = {"reason": reason} | redacting.entry_of(
        box=box, polygon=polygon, picture=picture, relative=relative
    )
    times = {"seconds": seconds, "messages": messages, "stamps_ns": stamps_ns}
    entry |= redacting.span_of(store, recording_id, times, frames=frames, whole=whole)
    is_asked_to_change = remove is not None or len(entry) > 1
    if remove is not None and len(entry) > 1:
        raise BadConfig(
            "an entry is to be removed and another one to be added", remedy="call `redact` twice; add first"
        )
    if remove is not None:
        where = redacting.remove_redaction(store, recording_id, remove)
    elif is_asked_to_change:
        where = redacting.add_redaction(store, recording_id, entry)
    click.echo(redaction_table(redacting.list_redactions(store, recording_id)))
    if is_asked_to_change:
        click.echo(f"written: {where}")
        again = ", ".join(redacting.made_again(store, recording_id, load_settings()))
        click.echo(f"the next run makes again: {again or 'nothing that is there'}")
        click.echo("what is published stays as it is until then")


@main.command()
@click.argument("recording_id")
@click.option(
    "--preview",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write a sheet (.png or .jpg) of blurred pictures with the boxes drawn.",
)
@store_option
@one_line_errors
def faces(recording_id: str, preview: Path | None, store_uri: str | None) -> None:
    """Show the faces that are hidden in a recording, a line for each, and what the audit found."""
    from episode_assets.pipeline.face_review import review_faces

    review = review_faces(open_store(resolve_places(store_uri)), recording_id, preview=preview)
    click.echo(describe_faces(review))
    sys.exit(FAILED if review.refusal else 0)


@main.command()
@click.argument("video", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--faces",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The faces.parquet of this video; what lies inside its areas is no find.",
)
@click.option(
    "--turned",
    type=click.Choice(["0", "90", "180", "270"]),
    help="By how many degrees the scene is turned clockwise in the pictures. Without it they are searched as they are, "
    "and some of them at all right angles.",
)
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="Settings file (YAML).")
@one_line_errors
def audit(video: Path, faces: Path | None, turned: str | None, config_file: Path | None) -> None:
    """Search a finished VIDEO (mp4) for faces the way results are searched before they are published.

    The exit code is 1 where something would block publication, or where the detector does not know faces.
    """
    from episode_assets.anonymization.auditing import audit_video
    from episode_assets.pipeline.settings import load_settings
    from episode_assets.pipeline.steps import BLURRED_RGB

    bars = Bars()
    try:
        found = audit_video(
            video,
            config=load_settings(config_file).config(BLURRED_RGB.asset),
            faces=faces,
            turned_degrees=None if turned is None else int(turned),
            progress=bars,
        )
    finally:
        bars.close()
    click.echo(describe_audit(found))
    sys.exit(0 if found.passed else FAILED)


@main.command()
@store_option
@one_line_errors
def verify(store_uri: str | None) -> None:
    """Hash the files of every latest version again and name those that do not match their manifest."""
    from episode_assets.pipeline.archive import ARCHIVE_REPORT
    from episode_assets.pipeline.settings import load_settings

    store = open_store(resolve_places(store_uri))
    keys = [key for asset in (*load_settings().assets, ARCHIVE_REPORT) for key in store.keys(asset)]
    problems = [f"{key}: {problem}" for key in keys for problem in _problems(store, key)]
    for problem in problems:
        click.echo(problem)
    sys.exit(FAILED if problems else 0)


@main.group()
def models() -> None:
    """Weight files: which are needed, which are here."""


@models.command("list")
@json_option
@one_line_errors
def list_models(as_json: bool) -> None:
    """List the weight files with licence, digest and place."""
    from episode_assets import models as weights

    rows = [(row.weight, row.state, str(row.path) if row.path else None) for row in weights.status()]
    if as_json:
        document = [
            {
                "name": w.name,
                "bytes": w.bytes,
                "licence": w.licence,
                "sha256": w.sha256,
                "state": state,
                "path": path,
            }
            for w, state, path in rows
        ]
        click.echo(json.dumps(document, indent=2, sort_keys=True))
        return
    lines = [
        (w.name, megabytes(w.bytes), w.licence, w.sha256[:12], state, path or "-") for w, state, path in rows
    ]
    click.echo(table(lines, ("name", "size", "licence", "sha256", "state", "place")))


@models.command("fetch")
@click.argument("names", nargs=-1)
@one_line_errors
def fetch_models(names: tuple[str, ...]) -> None:
    """Fetch the weight files that the default settings need, or those named."""
    from episode_assets import models as weights

    bars = Bars()
    for path in weights.fetch(names or None, progress=bars):
        click.echo(str(path))
    bars.close()


@main.command()
@click.option("--seconds", default=12.0, show_default=True, help="Length of the demo recording.")
@click.option("--directory", default="demo", show_default=True, type=click.Path(path_type=Path))
@store_option
@click.option("--workers", type=click.IntRange(min=1), help="Chunk worker processes.")
@one_line_errors
def demo(seconds: float, directory: Path, store_uri: str | None, workers: int | None) -> None:
    """Make a rendered demo recording and run every asset on it."""
    from episode_assets.demo import DemoConfig, write_demo

    path = directory / f"demo-{seconds:g}s.mcap"
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        bars = Bars()
        write_demo(path, config=DemoConfig(seconds=seconds), progress=bars)
        bars.close()
    places = resolve_places(store_uri)
    failed = _run((str(path),), places, task="sort the objects on the table", workers=workers)
    click.echo("\nThe UI: run `make dev` (or `dagster dev`) and open http://localhost:3000")
    sys.exit(FAILED if failed else 0)


def _run(
    files: tuple[str, ...],
    places: Places,
    *,
    task: str | None,
    workers: int | None,
    config_file: Path | None = None,
    profile: str | None = None,
) -> bool:
    import dagster as dg

    from episode_assets.definitions import build_defs, default_workers
    from episode_assets.defs import launch
    from episode_assets.defs.resources import PipelineResource
    from episode_assets.pipeline.settings import load_settings

    store = open_store(places)
    settings = load_settings(config_file, profile=profile)
    entries, failed = _register(store, files, task=task, naming=settings.recording_ids)
    pipeline = PipelineResource(store_uri=places.store, workers=workers or default_workers())
    defs = build_defs(pipeline=pipeline, settings=settings)
    bars = Bars()
    with dg.DagsterInstance.get() as instance:
        for entry in entries:
            click.echo(f"{entry.recording_id}")
            failed |= _report(launch.process(defs, instance, entry.recording_id, progress=bars), bars)
        if any(store.keys(f"lerobot_episode/{name}") for name in settings.recipes):
            click.echo("datasets")
            failed |= _report(launch.pack(defs, instance, progress=bars), bars)
        click.echo("archive")
        failed |= _report(launch.report(defs, instance, progress=bars), bars)
    return failed


def _register(
    store: Store, files: tuple[str, ...], *, task: str | None, naming: Naming
) -> tuple[list[RecordingEntry], bool]:
    """Register every file that can be, and name the others; return the entries and whether any file was refused."""
    entries: dict[str, RecordingEntry] = {}
    refused: list[EpisodeAssetsError] = []
    for file in files:
        try:
            entry = store.recordings.register(_address(file), task=task, recording_ids=naming)
            entries[entry.recording_id] = entry
        except EpisodeAssetsError as error:
            refused.append(error)
            say(error)
    if not entries:
        sys.exit(max(map(exit_code, refused)))
    return list(entries.values()), bool(refused)


def _report(result: RunResult, bars: Bars) -> bool:
    bars.close()
    rows = []
    for item in result.assets:
        if item.failure:
            continue
        cached = "cached" if item.metadata.get("cache") == "hit" else "computed"
        seconds = f"{float(item.metadata.get('wall_s', 0)):.1f} s"
        rows.append(
            (f"  {item.asset}", cached, seconds, _remark(item.metadata), str(item.metadata.get("place", "")))
        )
    if rows:
        click.echo(table(rows, ("  asset", "", "time", "", "place")))
    for item in result.failures:
        click.echo(f"error: {item.asset}: {printable(item.failure or '')}", err=True)
    return bool(result.failures)


def _remark(metadata: Any) -> str:
    if "score" in metadata:
        return f"score {metadata['score']}, {metadata.get('verdict', '')}"
    for name in ("frames", "episodes", "messages"):
        if name in metadata:
            return f"{metadata[name]} {name}"
    return ""


def _problems(store: Store, key: ArtifactKey) -> list[str]:
    try:
        return store.verify(key)
    except ArtifactDamaged as error:
        return [str(error)]


def _address(file: str) -> str:
    """Return a URI as it is, and a path made absolute.

    Raises:
        BadConfig: There is no such file, or it is none that can be read at any place.
    """
    if "://" in file:
        return file
    path = Path(file)
    if len(path.name.encode()) > LONGEST_NAME_BYTES:
        raise BadConfig("no file has so long a name", where=f"{file[:40]}...", remedy="check the path")
    if path.is_dir():
        raise BadConfig("this is a directory", where=file, remedy="name the recordings in it: DIR/*.mcap")
    if not path.exists():
        raise BadConfig("there is no such file", where=file, remedy="check the path")
    if not path.is_file():
        raise BadConfig("this is no regular file", where=file, remedy="name a recording")
    return str(path.resolve())


def _recording_address(file: str) -> str:
    """Return the address of a recording, or of a directory with its parts.

    Raises:
        BadConfig: There is no such file.
    """
    return str(Path(file).resolve()) if Path(file).is_dir() else _address(file)


def _datasets(store: Store, recipes: list[str]) -> dict[str, str]:
    from episode_assets.storage import ArtifactKey

    found = {}
    for name in recipes:
        asset = f"lerobot_dataset/{name}"
        try:
            found[asset] = store.latest(ArtifactKey(asset, None)).uri()
        except EpisodeAssetsError:
            continue
    return found


def _status_document(store: Store, standings: list[Standing], datasets: dict[str, str]) -> dict[str, Any]:
    return {
        "store": store.uri,
        "recordings": [_recording_document(entry, standings) for entry in store.recordings.list()],
        "datasets": datasets,
    }


def _recording_document(entry: RecordingEntry, standings: list[Standing]) -> dict[str, Any]:
    assets = {
        s.asset: {
            "state": s.state,
            "reason": s.reason,
            "version": s.artifact.version if s.artifact else None,
            "place": s.artifact.uri() if s.artifact else None,
        }
        for s in standings
        if s.recording_id == entry.recording_id
    }
    return {
        "recording_id": entry.recording_id,
        "state": entry.state,
        "reason": entry.reason,
        "assets": assets,
    }


if __name__ == "__main__":
    main()
