"""Projects from a template."""
