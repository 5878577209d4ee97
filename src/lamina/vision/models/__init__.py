"""Vision models: the table of architectures, bodies and heads, and the model made of both."""
