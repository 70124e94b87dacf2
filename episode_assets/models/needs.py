"""What a set of settings needs before it can work, whichever room its models serve."""

from __future__ import annotations

from typing import Protocol

from episode_assets.outcome import ModelUse


class Needs(Protocol):
    """Settings of models, which can be questioned before anything is loaded.

    Making one touches no disk and imports no runtime; it raises BadConfig where values do not fit.
    """

    def check(self) -> None:
        """Refuse settings with which nothing can work at all, such as those without weights.

        Raises:
            BadConfig: A setting that must be given is not.
        """

    def models(self) -> tuple[ModelUse, ...]:
        """Return the weight files that would take part, for the fingerprint; `ABSENT` stands for missing ones."""

    def require(self) -> None:
        """Look whether weight files and packages are there, without loading them; cheap.

        Raises:
            ModelMissing: One is not; the message has the remedy.
        """
