"""How a release is prepared and built (docs/how-to/release.md); no part of what is released."""
