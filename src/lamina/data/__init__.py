"""From a source to batches, and back: transforms, pipelines, datasets, loaders, blocks."""
