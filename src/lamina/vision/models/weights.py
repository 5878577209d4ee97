"""From an architecture to the local file of its published weights."""

from pathlib import Path

from lamina.data.external.download import Expected, download
from lamina.data.external.untar import sample_file
from lamina.data.external.urls import home
from lamina.foundation.errors import ContractError
from lamina.vision.models.architectures import Architecture

__all__ = ["weights_file"]


def weights_file(arch: Architecture, *, base: str | Path | None = None) -> Path:
    """The file with the published weights of `arch`: bundled, cached or downloaded, and checked.

    Args:
        arch: An entry of the table of architectures.
        base: The folder of the cache; weights lie in its `models`.

    Raises:
        ContractError: No weights are published for it.
        DownloadError: They can't be had; the message says where to put the file.
    """
    folder = (home() if base is None else Path(base)) / "models"
    folder.mkdir(parents=True, exist_ok=True)
    if arch.fetch is not None:
        return arch.fetch(folder)
    source = arch.weights
    if source is None:
        raise ContractError(
            f"No weights are published for {arch.name}. Pass pretrained=False, or weights=, a file."
        )
    if source.bundled and source.sample is not None:
        return sample_file(source.sample)
    return download(source, folder / source.file, expected=Expected(sha256=source.sha256))
