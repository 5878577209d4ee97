"""Beside the network: boosted trees, blends, and estimators for scikit-learn."""
