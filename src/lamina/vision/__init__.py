"""The vision application: pictures, their transforms, models with heads, and learners."""
