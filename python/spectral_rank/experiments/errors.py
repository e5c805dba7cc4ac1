"""What can go wrong with an experiment: each error is one clear message, and keeps what is done."""

from __future__ import annotations


class ExperimentError(Exception):
    """Base of the errors that a command reports in one message, without a traceback."""


class ProtocolError(ExperimentError, ValueError):
    """An experiment's file, or what one of its functions returned, breaks the protocol."""


class UnknownExperimentError(ExperimentError, ValueError):
    """No experiment has this ID, or there is no folder of experiments."""


class StorageError(ExperimentError):
    """A file of results cannot be written or read; everything stored before is still there."""


class AlreadyRunningError(ExperimentError):
    """Another process runs the same experiment with the same configuration."""


class CellsFailedError(ExperimentError):
    """Some cells raised an exception; the others are stored."""


class WorkerLostError(ExperimentError):
    """A worker process ended without an answer; the cells finished before are stored."""


class EngineError(ExperimentError):
    """The engine asked for is not there, or cannot run this experiment."""
