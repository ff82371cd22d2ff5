"""How texts go through a model: what is read together, and what is read only once."""
