"""The callbacks that come with the library, one idea per file."""
