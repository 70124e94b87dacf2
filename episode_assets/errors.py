"""Every error that a user of this package can meet, and whether trying again can help.

    EpisodeAssetsError
    ├── PermanentError            the same input will fail again
    │   ├── BadRecording          the file is not a readable recording
    │   ├── MissingStream         a stream that this step cannot do without is absent
    │   │   └── AmbiguousStream   several topics could be it, and nothing tells which
    │   ├── SourceChanged         the file is not the one that was registered
    │   ├── BadConfig             an option is unknown or out of range (also a ValueError)
    │   ├── ArtifactMissing       nothing has been published under this name (also a LookupError)
    │   ├── ArtifactDamaged       a published artifact does not match its manifest
    │   ├── BadDraft              a computation left other files than it declared
    │   ├── AuditFailed           the privacy audit did not pass: nothing was published
    │   ├── UnauditedArtifact     somebody asked for pixels without a passed audit
    │   ├── ModelMissing          a weight file or an optional package is not there
    │   ├── BadVideo              a video cannot be decoded, joined or copied as asked
    │   ├── NothingToExport       the input is valid and holds nothing that this step could use
    │   ├── ViewFailed            a file that is only there to be looked at could not be written
    │   └── DiskFull              no space is left where the store or its scratch lies
    └── TransientError            the same input may succeed later
        └── StorageTrouble        the store or the inbox did not answer (also an OSError)

Add a class here when a caller has to tell a failure apart. A message names what was found, where, and what to
do; it is always one line, because shells, logs and the Dagster UI show the first line only.
"""

from __future__ import annotations

_CLIENT_PACKAGES = frozenset({"botocore", "aiobotocore", "aiohttp", "urllib3"})


class EpisodeAssetsError(Exception):
    """Base of all errors of this package.

    Args:
        what: What was found, with values.
        where: The file, stream, offset or artifact it was found in.
        remedy: What the user can do now.
    """

    is_permanent: bool = True

    def __init__(self, what: str, *, where: str | None = None, remedy: str | None = None) -> None:
        self.what = what
        self.where = where
        self.remedy = remedy
        parts = [what]
        if where:
            parts.append(f"in {where}")
        if remedy:
            parts.append(f"remedy: {remedy}")
        super().__init__(" | ".join(" ".join(part.split()) for part in parts))

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments do not survive the default pickling; errors cross from worker processes.
        return (_rebuild, (type(self), self.what, self.where, self.remedy))


def _rebuild(
    kind: type[EpisodeAssetsError], what: str, where: str | None, remedy: str | None
) -> EpisodeAssetsError:
    return kind(what, where=where, remedy=remedy)


class PermanentError(EpisodeAssetsError):
    """The same input will fail in the same way; a retry is wasted."""


class BadRecording(PermanentError):
    """The file is empty, of another format, or damaged beyond reading."""


class MissingStream(PermanentError):
    """A stream that the step cannot do without is absent or undecodable."""


class AmbiguousStream(MissingStream):
    """Several topics could fill a role and nothing in the recording tells which one does."""


class SourceChanged(PermanentError):
    """The file under the registered address differs in size or time from the one that was registered."""


class BadConfig(PermanentError, ValueError):
    """An option is unknown, of the wrong type, or out of its range."""


class ArtifactMissing(PermanentError, LookupError):
    """Nothing has been published under this asset and recording."""


class ArtifactDamaged(PermanentError):
    """A published artifact does not match its manifest in files, sizes or digests."""


class BadDraft(PermanentError):
    """A computation's outcome and the files it left do not agree; nothing was published."""


class AuditFailed(PermanentError):
    """The privacy audit inside the computation did not pass; nothing was published."""


class UnauditedArtifact(PermanentError):
    """An artifact with pixels has no `audit: passed` in its manifest and is refused to every reader."""


class ModelMissing(PermanentError):
    """A weight file, or the optional package that runs it, is not available."""


class BadVideo(PermanentError):
    """A video cannot be decoded, joined or copied as asked."""


class NothingToExport(PermanentError):
    """The input is valid but holds nothing that this step could turn into its artifact."""


class ViewFailed(PermanentError):
    """A file that is only there to be looked at could not be written; everything else is unaffected."""


class DiskFull(PermanentError):
    """No space is left where the store or its scratch lies; nothing was published."""


class TransientError(EpisodeAssetsError):
    """The same input may succeed when tried again later."""

    is_permanent = False


class StorageTrouble(TransientError, OSError):
    """The store, the inbox or the network between did not answer."""


def is_storage_trouble(error: Exception) -> bool:
    """Whether a file system, or the client of an object store, raised an error.

    The clients have trees of errors of their own that do not descend from `OSError`.
    """
    packages = {kind.__module__.split(".")[0] for kind in type(error).__mro__}
    return isinstance(error, OSError) or bool(packages & _CLIENT_PACKAGES)
