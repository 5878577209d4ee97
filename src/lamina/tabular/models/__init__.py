"""Networks for rows: called with category codes `(b, n_cat)` and numbers `(b, n_cont)`."""
