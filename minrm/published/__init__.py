"""Reward models that others have published, behind the `score` of ours."""

from minrm.published.models import load_published, our_kind, sizes

__all__ = ["load_published", "our_kind", "sizes"]
