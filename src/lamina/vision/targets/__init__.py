"""Targets that lie on a picture: masks, points, boxes, and the files that list them."""
