"""What all tests share: no network, one thread (the machine may be shared), and the same examples every time."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("MPLBACKEND", "agg")

from hypothesis import settings

# Examples are drawn from each test's own name, so that a failure in CI is a failure at home; time is pytest-timeout's.
settings.register_profile("minrm", deadline=None, derandomize=True)
settings.load_profile("minrm")
