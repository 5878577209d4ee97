"""Parts of `lamina.data.split`."""
