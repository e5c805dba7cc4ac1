"""Where cells are measured: processes of this machine, or a Ray cluster.

An engine takes the tasks and gives their outcomes as they come.  It hands out no more than ``jobs``
at a time, so that a run that ends early has begun nothing it does not need.
"""

from __future__ import annotations

import importlib
import os
import signal
import socket
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from enum import StrEnum
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.process import BaseProcess
from typing import Any, Self

from spectral_rank.experiments.cell import (
    THREAD_VARIABLES,
    Outcome,
    Task,
    measure,
    thread_environment,
)
from spectral_rank.experiments.errors import EngineError, WorkerLostError

ANSWER_SECONDS = 5.0
"""How long a cluster may take to accept a connection."""


class Engine(StrEnum):
    """Where the cells of a run are measured."""

    LOCAL = "local"
    RAY = "ray"


class Workers:
    """Processes of this machine that measure cells, kept from one run to the next.

    They are fresh when they start, so that the number of threads holds for every library, and end
    with the ``with`` block, or with this process, even if it is killed.
    """

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._shape = (0, 0)
        self._others: set[BaseProcess] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def outcomes(self, tasks: Sequence[Task], jobs: int) -> Iterator[Outcome]:
        """Measure the tasks.

        Args:
            tasks: the cells, at least one, all with the same number of threads.
            jobs: how many run at a time.

        Raises:
            WorkerLostError: if a process ends without an answer.
        """
        waiting, running = deque(tasks), dict[Future[Outcome], Task]()
        with thread_environment(tasks[0].threads):
            pool = self._ready(tasks[0].threads, jobs)
            try:
                while waiting or running:
                    while waiting and len(running) < jobs:
                        task = waiting.popleft()
                        with _interrupts_held_back():
                            running[pool.submit(measure, task)] = task
                    yield from _finished(running)
            except BrokenProcessPool:
                self._end()
                raise _lost(running.values()) from None
            finally:
                if running:
                    self._end()

    def _ready(self, threads: int, jobs: int) -> ProcessPoolExecutor:
        """The processes: those there are, if they have that many threads and are that many."""
        if self._pool is not None and self._shape != (threads, jobs):
            self._pool.shutdown()
            self._pool = None
        if self._pool is None:
            self._shape, self._others = (threads, jobs), set(active_children())
            self._pool = ProcessPoolExecutor(
                jobs, mp_context=get_context("spawn"), initializer=_end_with_parent
            )
        return self._pool

    def _end(self) -> None:
        """End the processes, whatever they do."""
        if self._pool is not None:
            for child in set(active_children()) - self._others:
                child.terminate()
            self._pool.shutdown(cancel_futures=True)
            self._pool = None


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Processes started meanwhile take no Ctrl-C: who started them does, and ends them quietly."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _finished(running: dict[Future[Outcome], Task]) -> Iterator[Outcome]:
    """Wait for one of the running tasks, and take out those that have ended."""
    done, _ = wait(running, return_when=FIRST_COMPLETED)
    answered = [f for f in done if not isinstance(f.exception(), BrokenProcessPool)]
    for future in answered:
        del running[future]
        yield future.result()
    if len(answered) < len(done):
        raise BrokenProcessPool


def _end_with_parent() -> None:
    """End this worker when the process that started it is gone, killed or not."""
    parent = parent_process()
    if parent is not None:

        def watch() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=watch, daemon=True).start()


def on_ray(tasks: Sequence[Task], jobs: int | None, address: str | None) -> Iterator[Outcome]:
    """Measure the tasks on a Ray cluster that sees the same files at the same paths.

    Args:
        tasks: the cells, all with the same number of threads.
        jobs: how many run at a time, or ``None`` for as many as the cluster has processors for.
        address: address of the cluster; ``None`` starts one on this machine.

    Raises:
        EngineError: if Ray is not installed, or there is no such cluster.
        WorkerLostError: if a worker ends without an answer.
    """
    ray = _ray(address, jobs, tasks[0].threads)
    threads = tasks[0].threads
    environment = {"env_vars": dict.fromkeys(THREAD_VARIABLES, str(threads))}
    remote = ray.remote(measure).options(num_cpus=threads, max_retries=0, runtime_env=environment)
    slots = jobs or max(1, int(ray.cluster_resources()["CPU"]) // threads)
    waiting, running = deque(tasks), dict[Any, Task]()
    try:
        while waiting or running:
            while waiting and len(running) < slots:
                task = waiting.popleft()
                running[remote.remote(task)] = task
            (done,), _ = ray.wait(list(running), num_returns=1)
            outcome: Outcome = ray.get(done)
            del running[done]
            yield outcome
    except ray.exceptions.RayError:
        raise _lost(running.values()) from None
    finally:
        ray.shutdown()


def _ray(address: str | None, jobs: int | None, threads: int) -> Any:
    """The module of Ray, connected."""
    try:
        ray = importlib.import_module("ray")
    except ImportError:
        message = "--engine ray: Ray is not installed: pip install 'spectral-rank[ray]'"
        raise EngineError(message) from None
    _require_reachable(address)
    here = jobs * threads if jobs is not None and address is None else None
    try:
        ray.init(address=address, num_cpus=here, log_to_driver=False, include_dashboard=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise EngineError(f"--engine ray: cannot connect to {address}: {error}") from None
    return ray


def _require_reachable(address: str | None) -> None:
    """Refuse a cluster where nobody answers; Ray would try again for minutes."""
    host, separator, port = (address or "").removeprefix("ray://").rpartition(":")
    if not separator:  # this machine's cluster, or "auto"
        return
    try:
        socket.create_connection((host, int(port)), ANSWER_SECONDS).close()
    except (OSError, ValueError, OverflowError) as error:
        raise EngineError(f"--engine ray: cannot connect to {address}: {error}") from None


def _lost(tasks: Iterable[Task]) -> WorkerLostError:
    """The error that names the cells which were being measured."""
    cells = "; ".join(f"cell {task.index} {task.cell} of {task.path.name}" for task in tasks)
    return WorkerLostError(
        f"a worker process was killed or ran out of memory while it measured {cells}; "
        "finished cells are kept, the same command resumes, fewer --jobs need less memory"
    )
