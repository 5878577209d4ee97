"""Changes of pictures and of all that lies on them: of one item on the CPU, of a batch at once."""
