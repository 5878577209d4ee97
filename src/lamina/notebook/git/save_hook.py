"""What Jupyter calls when it saves a notebook: clean it, if its project says so."""

import json
from pathlib import Path
from typing import Any

from lamina.notebook.clean import clean_notebook
from lamina.notebook.config import find_config
from lamina.notebook.document import parse_notebook, to_raw

__all__ = ["clean_on_save"]


def clean_on_save(model: dict[str, Any], path: str, contents_manager: Any) -> None:
    """Clean a notebook before Jupyter writes it; a pre-save hook of its contents manager.

    Only notebooks of projects with `jupyter_hooks = true` in `[tool.lamina.nb]` are changed.

    Args:
        model: what is saved; changed in place.
        path: the file, relative to the folder that Jupyter serves.
        contents_manager: Jupyter's; says which folder that is.
    """
    content = model.get("content")
    if model.get("type") != "notebook" or not content or content.get("nbformat") != 4:
        return
    file = Path(contents_manager.root_dir) / path.lstrip("/")
    config = find_config(file.parent)
    if config is None or not config.jupyter_hooks:
        return
    notebook = parse_notebook(json.dumps(content))
    clean_notebook(notebook, config)
    for cell, cleaned in zip(content["cells"], to_raw(notebook)["cells"], strict=True):
        cell.update(cleaned, source="".join(cleaned["source"]))
    content["metadata"] = notebook.metadata
