"""Foreign and own formats, each parsed once into domain values and written from them; no I/O."""
