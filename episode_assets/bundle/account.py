"""The honest list: what an episode directory holds, what it does not and why, and what was odd on the way."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from episode_assets.outcome import Json, Note, Skipped


@dataclass
class Account:
    """Grows while a bundle is written; names are those of the directory (`mesh.ply`, `annotation.hdf5:/imu`)."""

    saved: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    warnings: list[Note] = field(default_factory=list)

    def save(self, name: str) -> None:
        """Enter something that was written and holds data."""
        self.saved.append(name)

    def skip(self, name: str, code: str, detail: str) -> None:
        """Enter something that a user may look for and will not find."""
        self.skipped.append(Skipped(name, code, detail))

    def note(self, code: str, detail: str, *, stream: str | None = None, count: int = 1) -> None:
        """Enter an observation; nothing is entered for a count of zero."""
        if count:
            self.warnings.append(Note(code, detail, stream, count))

    def as_json(self) -> dict[str, Json]:
        """Return the lists in the keys of the manifest."""
        return {
            "saved": list(self.saved),
            "skipped": [asdict(item) for item in self.skipped],
            "warnings": [asdict(item) for item in self.warnings],
        }
