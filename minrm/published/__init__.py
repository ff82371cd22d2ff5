"""Reward models that others have published, behind the same `score` as ours."""

from minrm.published.models import load_published, sizes

__all__ = ["load_published", "sizes"]
