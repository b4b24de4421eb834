"""Making what boards are updated with: `phantom bundle` and `phantom update` (docs/update.md)."""
