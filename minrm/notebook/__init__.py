"""What the pages of the book use: figures, coloured tokens, ticks under claims, the cost table. Needs no torch."""
