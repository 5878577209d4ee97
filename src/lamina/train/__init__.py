"""Training: the loop with its events, and everything that can be done with a learner.

Read `events`, `callback`, `loop` and `learner` in this order: a callback is an object whose methods
receive the learner between any two lines of the loop; `Learner` is the table of contents of the
verbs that live in `fitting`, `lr_finder`, `freezing`, `prediction` and `persistence`.
"""
