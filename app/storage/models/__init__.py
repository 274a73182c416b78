"""The database tables, without queries."""

from app.storage.models.access import (
    Identity,
    JoinLink,
    Session,
    Token,
)
from app.storage.models.base import (
    DEFAULT_COURSE,
    ID_ALPHABET,
    ID_LENGTH,
    Base,
    HoldDecision,
    JobStatus,
    MemberRole,
    Role,
    UTCDateTime,
    new_id,
    utc_now,
)
from app.storage.models.batches import (
    Batch,
    BatchFile,
    BatchFileState,
)
from app.storage.models.people import (
    Change,
    Course,
    CourseAssignment,
    Membership,
    Merge,
    Person,
)
from app.storage.models.submissions import (
    Artefact,
    LiveWorker,
    ReportDiagnosis,
    StoredReport,
    Submission,
    SubmissionEvent,
)
from app.storage.models.teaching import (
    Adjustment,
    Comment,
    Extension,
    Regrade,
    RegradeItem,
    ReviewRequest,
)
from app.storage.models.webhooks import (
    Delivery,
    Webhook,
)

__all__ = [
    "DEFAULT_COURSE",
    "ID_ALPHABET",
    "ID_LENGTH",
    "Adjustment",
    "Artefact",
    "Base",
    "Batch",
    "BatchFile",
    "BatchFileState",
    "Change",
    "Comment",
    "Course",
    "CourseAssignment",
    "Delivery",
    "Extension",
    "HoldDecision",
    "Identity",
    "JobStatus",
    "JoinLink",
    "LiveWorker",
    "MemberRole",
    "Membership",
    "Merge",
    "Person",
    "Regrade",
    "RegradeItem",
    "ReportDiagnosis",
    "ReviewRequest",
    "Role",
    "Session",
    "StoredReport",
    "Submission",
    "SubmissionEvent",
    "Token",
    "UTCDateTime",
    "Webhook",
    "new_id",
    "utc_now",
]
