"""The database tables, without queries."""

from app.storage.models.access import OF_PLATFORMS, Identity, JoinLink, NotebookCode, Session, Token
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
from app.storage.models.batches import Batch, BatchFile, BatchFileState
from app.storage.models.lti import (
    PLATFORM_ID_LENGTH,
    LtiCode,
    LtiContext,
    LtiDeployment,
    LtiInvitation,
    LtiKey,
    LtiLink,
    LtiLogin,
    LtiMember,
    LtiPlatform,
    LtiQuestion,
    LtiScore,
    LtiSelection,
)
from app.storage.models.people import Change, Course, CourseAssignment, Letter, Membership, Merge, NewsMail, Person
from app.storage.models.submissions import (
    Artefact,
    Check,
    LiveWorker,
    ReportDiagnosis,
    StoredReport,
    Submission,
    SubmissionEvent,
)
from app.storage.models.teaching import Adjustment, Comment, Extension, Regrade, RegradeItem, ReviewRequest
from app.storage.models.webhooks import Delivery, Webhook
