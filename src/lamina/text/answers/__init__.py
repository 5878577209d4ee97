"""What learners of texts are asked: to go on with a text, to answer together, to explain."""
