"""What a learner of rows says: predictions, and explanations of them."""
