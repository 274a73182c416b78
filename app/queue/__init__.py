"""The queue of submissions, and its workers.

The submissions table is the queue: a stored submission is queued. So are checks before handing in (`checks`), which
wait behind all submissions. A worker takes a claim on one (`claims`), and a thread waits for its grade, never an event
loop. Only the newest claim of a submission may store a result (`Grading`), so a submission may safely be handed out
twice, as after a crash. The rest of the service sees the queue as `Jobs`. There are two::

    EmbeddedJobs      SQLite, one process: it grades as well
    PostgreSQLJobs    many processes: `Worker`s on any machine grade, and their `Heartbeat`s show which are alive
"""

from app.queue.embedded import EmbeddedJobs, hold_data_dir
from app.queue.grading import Engine, Grading
from app.queue.jobs import Jobs
from app.queue.postgresql import PostgreSQLJobs, Worker
