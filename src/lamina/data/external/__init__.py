"""Data sets by name: where they are, how they are fetched, checked, unpacked and cached."""

from lamina.data.external.untar import untar_data
from lamina.data.external.urls import URLs

__all__ = ["URLs", "untar_data"]
