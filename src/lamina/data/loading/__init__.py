"""The machinery under the loader: the plan of a pass, and the processes that carry it out."""
