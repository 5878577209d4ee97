"""Text: tokens, language models and classifiers."""
