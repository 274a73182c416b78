"""Metrics for Prometheus: the queue, the grades, the box, the requests.

This process counts in a registry of its own; figures from the database are read for each scrape. No label holds a
student's or a client's text: statuses, phases, reasons and kinds are ours, and a route is a pattern.

Every counter starts at 0 with every possible label. A series that appeared only with its first case would hide that
case, because Prometheus needs an earlier value to see an increase.
"""

from collections.abc import Iterable, Mapping

import prometheus_client as prometheus

from app.submissions.positions import QueueState
from app.webhooks.sender import OUTCOMES
from grader import Report, SandboxError, Status
from grader.sandbox import Kind, Limits, Outcome, Sandbox

SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
NAN = float("nan")
REASONS = frozenset({"wall", "cpu", "memory", "threads", "disk", "output", "starved"})
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

# Otherwise every counter gets a second series with its start time, which is that of the process.
prometheus.disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """The numbers of one process."""

    def __init__(self) -> None:
        self._registry = prometheus.CollectorRegistry()
        prometheus.ProcessCollector(namespace="lstm_grader", registry=self._registry)
        self._submissions = self._gauge("submissions", "Submissions that wait or are graded", ["job_status"])
        self._queue_age = self._gauge("queue_age_seconds", "Waiting time of the upload that has waited longest")
        self._database = self._gauge("database_up", "Whether a write succeeded a moment ago")
        self._box = self._gauge("self_test_up", "Whether a known answer recently got all its points")
        self._grades = self._counter("grades", "Stored reports by verdict", ["status"])
        self._seconds = self._histogram("grade_seconds", "Duration of a grade, by phase", ["phase"])
        self._kills = self._counter("box_kills", "Runs that the box has killed, by the limit they reached", ["reason"])
        self._failures = self._counter("box_failures", "Runs that failed by a fault of ours", ["kind"])
        self._waiting = self._gauge("webhook_deliveries_waiting", "Webhook deliveries that are still to be sent")
        self._tries = self._counter("webhook_attempts", "Tries to send a webhook delivery", ["outcome"])
        self._requests = self._counter("http_requests", "Answered requests", ["method", "route", "status"])
        self._answers = self._histogram("http_request_seconds", "Duration of an answer", ["route"])
        for status in Status:
            self._grades.labels(status.value)
        self._seconds.labels("total")
        for reason in (*REASONS, "other"):
            self._kills.labels(reason)
        for kind in Kind:
            self._failures.labels(kind.value)
        for outcome in OUTCOMES:
            self._tries.labels(outcome)

    def _gauge(self, name: str, text: str, labels: list[str] | None = None) -> prometheus.Gauge:
        return prometheus.Gauge(name, text, labels or [], namespace="lstm_grader", registry=self._registry)

    def _counter(self, name: str, text: str, labels: list[str]) -> prometheus.Counter:
        return prometheus.Counter(name, text, labels, namespace="lstm_grader", registry=self._registry)

    def _histogram(self, name: str, text: str, labels: list[str]) -> prometheus.Histogram:
        namespace = "lstm_grader"
        return prometheus.Histogram(name, text, labels, namespace=namespace, registry=self._registry, buckets=SECONDS)

    def count_report(self, report: Report) -> None:
        """Count a stored report."""
        self._grades.labels(report.status.value).inc()
        phases: Mapping[str, float] = {**report.timing.phases, "total": report.timing.wall_seconds}
        for name, seconds in phases.items():
            self._seconds.labels(name).observe(seconds)

    def expect(self, method: str, route: str, statuses: Iterable[int]) -> None:
        """Start the counters of a route at 0, for its possible statuses."""
        for status in statuses:
            self._requests.labels(method, route, str(status))

    def count_answer(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Count an answered request; `route` is the pattern matched by its path."""
        route = route or "none"
        self._requests.labels(method if method in METHODS else "other", route, str(status)).inc()
        self._answers.labels(route).observe(seconds)

    def count_kill(self, reason: str) -> None:
        """Count a run killed by the box."""
        self._kills.labels(reason if reason in REASONS else "other").inc()

    def count_failure(self, kind: Kind) -> None:
        """Count a run that failed by a fault of ours."""
        self._failures.labels(kind.value).inc()

    def webhook_tried(self, outcome: str) -> None:
        """Count a try to send a webhook delivery, by its outcome."""
        self._tries.labels(outcome).inc()

    def document(
        self, queue: QueueState | None, *, deliveries: int = 0, self_test: bool | None, is_writable: bool
    ) -> bytes:
        """Return all metrics in Prometheus' text format.

        Args:
            queue: None: the database does not answer.
            deliveries: the number of webhook deliveries to be sent.
            self_test: None: this process does not grade.
            is_writable: whether the database can be written to.
        """
        self._database.set(is_writable)
        # Unknown values are NaN; the last known value would hide the outage.
        self._submissions.labels("queued").set(NAN if queue is None else queue.queued)
        self._submissions.labels("running").set(NAN if queue is None else queue.running)
        self._queue_age.set(NAN if queue is None else queue.oldest_seconds)
        self._waiting.set(NAN if queue is None else deliveries)
        self._box.set(NAN if self_test is None else self_test)
        return prometheus.generate_latest(self._registry)


class CountedSandbox:
    """A sandbox whose kills and failures are counted."""

    def __init__(self, sandbox: Sandbox, metrics: Metrics) -> None:
        self._sandbox = sandbox
        self._metrics = metrics

    def run(self, kind: Kind, request: bytes, limits: Limits) -> Outcome:
        try:
            outcome = self._sandbox.run(kind, request, limits)
        except SandboxError:
            self._metrics.count_failure(kind)
            raise
        if outcome.killed_for is not None:
            self._metrics.count_kill(outcome.killed_for)
        return outcome
