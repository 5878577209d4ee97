"""The foundation: plain Python tools that every higher rung uses; no torch and no numpy here."""
