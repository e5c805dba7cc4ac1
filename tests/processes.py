"""Processes for tests that must start many: forked from one that has loaded torch, and no more."""

from multiprocessing import get_context
from multiprocessing.context import ForkServerContext


def fresh_processes() -> ForkServerContext:
    """The context to start them with; what they run must be importable by its name."""
    context = get_context("forkserver")
    # The first optimizer of a process imports torch._dynamo, which takes seconds.
    context.set_forkserver_preload(["spectral_rank.training.run_store", "torch._dynamo"])
    return context
