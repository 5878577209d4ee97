"""Models of Hugging Face's `transformers` for texts, with their own tokenizers."""
