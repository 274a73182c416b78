CREATE TABLE courses (
    id VARCHAR(26) NOT NULL,
    created_at DATETIME NOT NULL,
    title VARCHAR(200) NOT NULL,
    language VARCHAR(2) NOT NULL,
    time_zone VARCHAR(64) NOT NULL,
    archived_at DATETIME,
    retention_days DOUBLE,
    created_by VARCHAR(26),
    idempotency_key VARCHAR(255),
    CONSTRAINT pk_courses PRIMARY KEY (id)
);

CREATE UNIQUE INDEX ix_courses_created_by_idempotency_key ON courses (created_by, idempotency_key);

CREATE TABLE lti_invitations (
    sha256 VARCHAR(64) NOT NULL,
    made_by VARCHAR(200) NOT NULL,
    created_at DATETIME NOT NULL,
    expires_at DATETIME NOT NULL,
    used_at DATETIME,
    CONSTRAINT pk_lti_invitations PRIMARY KEY (sha256)
);

CREATE INDEX ix_lti_invitations_expires_at ON lti_invitations (expires_at);

CREATE TABLE lti_keys (
    id VARCHAR(26) NOT NULL,
    created_at DATETIME NOT NULL,
    private_key TEXT NOT NULL,
    signs_since DATETIME,
    signed_until DATETIME,
    CONSTRAINT pk_lti_keys PRIMARY KEY (id)
);

CREATE TABLE lti_platforms (
    id VARCHAR(26) NOT NULL,
    created_at DATETIME NOT NULL,
    name VARCHAR(200) NOT NULL,
    issuer VARCHAR(500) NOT NULL,
    client_id VARCHAR(255) NOT NULL,
    login_url VARCHAR(2000) NOT NULL,
    token_url VARCHAR(2000) NOT NULL,
    keys_url VARCHAR(2000) NOT NULL,
    token_audience VARCHAR(2000),
    made_by VARCHAR(200) NOT NULL,
    confirmed_at DATETIME,
    refused_deployment VARCHAR(255),
    origins TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_lti_platforms PRIMARY KEY (id),
    CONSTRAINT uq_lti_platforms_issuer_client_id UNIQUE (issuer, client_id)
);

CREATE TABLE people (
    id VARCHAR(26) NOT NULL,
    created_at DATETIME NOT NULL,
    name VARCHAR(200),
    email VARCHAR(254),
    CONSTRAINT pk_people PRIMARY KEY (id)
);

CREATE INDEX ix_people_email ON people (email);

CREATE TABLE workers (
    id VARCHAR(26) NOT NULL,
    seen_at DATETIME NOT NULL,
    about JSON NOT NULL,
    CONSTRAINT pk_workers PRIMARY KEY (id)
);

CREATE TABLE batches (
    id VARCHAR(26) NOT NULL,
    created_at DATETIME NOT NULL,
    course_id VARCHAR(26) NOT NULL,
    assignment_id VARCHAR(64) NOT NULL,
    filename VARCHAR(255) NOT NULL,
    made_by VARCHAR(200) NOT NULL,
    read_at DATETIME,
    CONSTRAINT pk_batches PRIMARY KEY (id),
    CONSTRAINT fk_batches_course_id FOREIGN KEY(course_id) REFERENCES courses (id)
);

CREATE INDEX ix_batches_course_id_id ON batches (course_id, id);

CREATE TABLE course_assignments (
    id VARCHAR(26) NOT NULL,
    created_at DATETIME NOT NULL,
    course_id VARCHAR(26) NOT NULL,
    assignment_id VARCHAR(64) NOT NULL,
    title VARCHAR(200),
    rules JSON NOT NULL,
    grade_book_points DOUBLE,
    CONSTRAINT pk_course_assignments PRIMARY KEY (id),
    CONSTRAINT uq_course_assignments_course_id_assignment_id UNIQUE (course_id, assignment_id),
    CONSTRAINT fk_course_assignments_course_id FOREIGN KEY(course_id) REFERENCES courses (id)
);

CREATE TABLE identities (
    id VARCHAR(26) NOT NULL,
    created_at DATETIME NOT NULL,
    person_id VARCHAR(26) NOT NULL,
    issuer VARCHAR(500) NOT NULL,
    subject VARCHAR(255) NOT NULL,
    email VARCHAR(254),
    CONSTRAINT pk_identities PRIMARY KEY (id),
    CONSTRAINT uq_identities_issuer_subject UNIQUE (issuer, subject),
    CONSTRAINT fk_identities_person_id FOREIGN KEY(person_id) REFERENCES people (id)
);

CREATE INDEX ix_identities_person_id ON identities (person_id);

CREATE TABLE join_links (
    id VARCHAR(26) NOT NULL,
    created_at DATETIME NOT NULL,
    course_id VARCHAR(26) NOT NULL,
    sha256 VARCHAR(64) NOT NULL,
    group_name VARCHAR(100),
    most_uses INTEGER,
    uses INTEGER NOT NULL,
    made_by VARCHAR(200) NOT NULL,
    expires_at DATETIME,
    revoked_at DATETIME,
    CONSTRAINT pk_join_links PRIMARY KEY (id),
    CONSTRAINT fk_join_links_course_id FOREIGN KEY(course_id) REFERENCES courses (id),
    CONSTRAINT uq_join_links_sha256 UNIQUE (sha256)
);

CREATE INDEX ix_join_links_course_id ON join_links (course_id);

CREATE TABLE lti_codes (
    sha256 VARCHAR(64) NOT NULL,
    course_id VARCHAR(26) NOT NULL,
    made_by VARCHAR(200) NOT NULL,
    expires_at DATETIME NOT NULL,
    CONSTRAINT pk_lti_codes PRIMARY KEY (sha256),
    CONSTRAINT fk_lti_codes_course_id FOREIGN KEY(course_id) REFERENCES courses (id)
);

CREATE INDEX ix_lti_codes_course_id ON lti_codes (course_id);

CREATE TABLE lti_contexts (
    id VARCHAR(26) NOT NULL,
    created_at DATETIME NOT NULL,
    platform_id VARCHAR(26) NOT NULL,
    deployment_id VARCHAR(255) NOT NULL,
    context_id VARCHAR(255) NOT NULL,
    course_id VARCHAR(26) NOT NULL,
    title VARCHAR(200),
    memberships_url VARCHAR(2000),
    made_by VARCHAR(200) NOT NULL,
    waits_since DATETIME,
    next_at DATETIME,
    checked_at DATETIME,
    check_error VARCHAR(500),
    CONSTRAINT pk_lti_contexts PRIMARY KEY (id),
    CONSTRAINT uq_lti_contexts_platform_id_deployment_id_context_id UNIQUE (platform_id, deployment_id, context_id),
    CONSTRAINT fk_lti_contexts_platform_id FOREIGN KEY(platform_id) REFERENCES lti_platforms (id),
    CONSTRAINT fk_lti_contexts_course_id FOREIGN KEY(course_id) REFERENCES courses (id)
);

CREATE INDEX ix_lti_contexts_course_id ON lti_contexts (course_id);

CREATE TABLE lti_deployments (
    id VARCHAR(26) NOT NULL,
    platform_id VARCHAR(26) NOT NULL,
    deployment_id VARCHAR(255) NOT NULL,
    CONSTRAINT pk_lti_deployments PRIMARY KEY (id),
    CONSTRAINT uq_lti_deployments_platform_id_deployment_id UNIQUE (platform_id, deployment_id),
    CONSTRAINT fk_lti_deployments_platform_id FOREIGN KEY(platform_id) REFERENCES lti_platforms (id)
);

CREATE TABLE lti_logins (
    state_sha256 VARCHAR(64) NOT NULL,
    nonce_sha256 VARCHAR(64) NOT NULL,
    browser_sha256 VARCHAR(64) NOT NULL,
    platform_id VARCHAR(26) NOT NULL,
    asked TEXT NOT NULL,
    expires_at DATETIME NOT NULL,
    CONSTRAINT pk_lti_logins PRIMARY KEY (state_sha256),
    CONSTRAINT fk_lti_logins_platform_id FOREIGN KEY(platform_id) REFERENCES lti_platforms (id)
);

CREATE INDEX ix_lti_logins_expires_at ON lti_logins (expires_at);

CREATE INDEX ix_lti_logins_platform_id ON lti_logins (platform_id);

CREATE TABLE lti_questions (
    sha256 VARCHAR(64) NOT NULL,
    platform_id VARCHAR(26) NOT NULL,
    message JSON NOT NULL,
    expires_at DATETIME NOT NULL,
    CONSTRAINT pk_lti_questions PRIMARY KEY (sha256),
    CONSTRAINT fk_lti_questions_platform_id FOREIGN KEY(platform_id) REFERENCES lti_platforms (id)
);

CREATE INDEX ix_lti_questions_expires_at ON lti_questions (expires_at);

CREATE INDEX ix_lti_questions_platform_id ON lti_questions (platform_id);

CREATE TABLE memberships (
    id VARCHAR(26) NOT NULL,
    created_at DATETIME NOT NULL,
    course_id VARCHAR(26) NOT NULL,
    person_id VARCHAR(26) NOT NULL,
    role VARCHAR(16) NOT NULL,
    external_id VARCHAR(200),
    group_name VARCHAR(100),
    confirmed_at DATETIME,
    removed_at DATETIME,
    join_link_id VARCHAR(26),
    claimed_id VARCHAR(200),
    signed_on_at DATETIME,
    dropped_by VARCHAR(26),
    CONSTRAINT pk_memberships PRIMARY KEY (id),
    CONSTRAINT uq_memberships_course_id_person_id UNIQUE (course_id, person_id),
    CONSTRAINT uq_memberships_course_id_external_id UNIQUE (course_id, external_id),
    CONSTRAINT fk_memberships_course_id FOREIGN KEY(course_id) REFERENCES courses (id),
    CONSTRAINT fk_memberships_person_id FOREIGN KEY(person_id) REFERENCES people (id)
);

CREATE INDEX ix_memberships_person_id ON memberships (person_id);

CREATE TABLE regrades (
    id VARCHAR(26) NOT NULL,
    created_at DATETIME NOT NULL,
    requested_by VARCHAR(26) NOT NULL,
    selection JSON NOT NULL,
    idempotency_key VARCHAR(255),
    course_id VARCHAR(26),
    is_preview BOOLEAN NOT NULL,
    applied_at DATETIME,
    dropped_at DATETIME,
    CONSTRAINT pk_regrades PRIMARY KEY (id),
    CONSTRAINT fk_regrades_course_id FOREIGN KEY(course_id) REFERENCES courses (id)
);

CREATE INDEX ix_regrades_course_id ON regrades (course_id);

CREATE UNIQUE INDEX ix_regrades_requested_by_idempotency_key ON regrades (requested_by, idempotency_key);

CREATE TABLE adjustments (
    id VARCHAR(26) NOT NULL,
    created_at DATETIME NOT NULL,
    membership_id VARCHAR(26) NOT NULL,
    course_assignment_id VARCHAR(26) NOT NULL,
    made_by VARCHAR(200) NOT NULL,
    delta DOUBLE,
    value DOUBLE,
    reason TEXT NOT NULL,
    points_below DOUBLE,
    ended_at DATETIME,
    ended_by VARCHAR(200),
    CONSTRAINT pk_adjustments PRIMARY KEY (id),
    CONSTRAINT fk_adjustments_membership_id FOREIGN KEY(membership_id) REFERENCES memberships (id),
    CONSTRAINT fk_adjustments_course_assignment_id FOREIGN KEY(course_assignment_id) REFERENCES course_assignments (id)
);

CREATE INDEX ix_adjustments_course_assignment_id ON adjustments (course_assignment_id);

CREATE INDEX ix_adjustments_membership_id_course_assignment_id_id ON adjustments (membership_id, course_assignment_id, id);

CREATE TABLE changes (
    id INTEGER NOT NULL,
    course_id VARCHAR(26) NOT NULL,
    membership_id VARCHAR(26),
    created_at DATETIME NOT NULL,
    made_by VARCHAR(200) NOT NULL,
    subject VARCHAR(32) NOT NULL,
    subject_id VARCHAR(26) NOT NULL,
    "before" JSON NOT NULL,
    "after" JSON NOT NULL,
    CONSTRAINT pk_changes PRIMARY KEY (id),
    CONSTRAINT fk_changes_course_id FOREIGN KEY(course_id) REFERENCES courses (id),
    CONSTRAINT fk_changes_membership_id FOREIGN KEY(membership_id) REFERENCES memberships (id)
);

CREATE INDEX ix_changes_membership_id ON changes (membership_id);

CREATE INDEX ix_changes_course_id_id ON changes (course_id, id);

CREATE TABLE extensions (
    id VARCHAR(26) NOT NULL,
    created_at DATETIME NOT NULL,
    membership_id VARCHAR(26) NOT NULL,
    course_assignment_id VARCHAR(26) NOT NULL,
    made_by VARCHAR(200) NOT NULL,
    due DATETIME,
    closes DATETIME,
    more_attempts INTEGER NOT NULL,
    reason TEXT NOT NULL,
    CONSTRAINT pk_extensions PRIMARY KEY (id),
    CONSTRAINT uq_extensions_membership_id_course_assignment_id UNIQUE (membership_id, course_assignment_id),
    CONSTRAINT fk_extensions_membership_id FOREIGN KEY(membership_id) REFERENCES memberships (id),
    CONSTRAINT fk_extensions_course_assignment_id FOREIGN KEY(course_assignment_id) REFERENCES course_assignments (id)
);

CREATE INDEX ix_extensions_course_assignment_id ON extensions (course_assignment_id);

CREATE TABLE lti_links (
    id VARCHAR(26) NOT NULL,
    created_at DATETIME NOT NULL,
    lti_context_id VARCHAR(26) NOT NULL,
    resource_link_id VARCHAR(255) NOT NULL,
    title VARCHAR(200),
    course_assignment_id VARCHAR(26),
    lineitem_url VARCHAR(2000),
    lineitems_url VARCHAR(2000),
    scopes JSON NOT NULL,
    lineitem_at DATETIME,
    named VARCHAR(200),
    lineitem_max DOUBLE,
    CONSTRAINT pk_lti_links PRIMARY KEY (id),
    CONSTRAINT uq_lti_links_lti_context_id_resource_link_id UNIQUE (lti_context_id, resource_link_id),
    CONSTRAINT fk_lti_links_lti_context_id FOREIGN KEY(lti_context_id) REFERENCES lti_contexts (id),
    CONSTRAINT fk_lti_links_course_assignment_id FOREIGN KEY(course_assignment_id) REFERENCES course_assignments (id)
);

CREATE INDEX ix_lti_links_course_assignment_id ON lti_links (course_assignment_id);

CREATE TABLE lti_members (
    id VARCHAR(26) NOT NULL,
    lti_context_id VARCHAR(26) NOT NULL,
    membership_id VARCHAR(26) NOT NULL,
    role VARCHAR(16) NOT NULL,
    seen_at DATETIME NOT NULL,
    CONSTRAINT pk_lti_members PRIMARY KEY (id),
    CONSTRAINT uq_lti_members_lti_context_id_membership_id UNIQUE (lti_context_id, membership_id),
    CONSTRAINT fk_lti_members_lti_context_id FOREIGN KEY(lti_context_id) REFERENCES lti_contexts (id),
    CONSTRAINT fk_lti_members_membership_id FOREIGN KEY(membership_id) REFERENCES memberships (id)
);

CREATE INDEX ix_lti_members_membership_id ON lti_members (membership_id);

CREATE TABLE lti_selections (
    id VARCHAR(26) NOT NULL,
    lti_context_id VARCHAR(26) NOT NULL,
    membership_id VARCHAR(26) NOT NULL,
    return_url VARCHAR(2000) NOT NULL,
    data TEXT,
    takes_lineitem BOOLEAN NOT NULL,
    expires_at DATETIME NOT NULL,
    CONSTRAINT pk_lti_selections PRIMARY KEY (id),
    CONSTRAINT fk_lti_selections_lti_context_id FOREIGN KEY(lti_context_id) REFERENCES lti_contexts (id),
    CONSTRAINT fk_lti_selections_membership_id FOREIGN KEY(membership_id) REFERENCES memberships (id)
);

CREATE INDEX ix_lti_selections_lti_context_id ON lti_selections (lti_context_id);

CREATE INDEX ix_lti_selections_membership_id ON lti_selections (membership_id);

CREATE TABLE merges (
    id VARCHAR(26) NOT NULL,
    created_at DATETIME NOT NULL,
    course_id VARCHAR(26),
    kept_member_id VARCHAR(26),
    merged_member_id VARCHAR(26),
    kept_person_id VARCHAR(26),
    merged_person_id VARCHAR(26),
    moved JSON NOT NULL,
    made_by VARCHAR(200) NOT NULL,
    undone_at DATETIME,
    CONSTRAINT pk_merges PRIMARY KEY (id),
    CONSTRAINT fk_merges_course_id FOREIGN KEY(course_id) REFERENCES courses (id),
    CONSTRAINT fk_merges_kept_member_id FOREIGN KEY(kept_member_id) REFERENCES memberships (id),
    CONSTRAINT fk_merges_merged_member_id FOREIGN KEY(merged_member_id) REFERENCES memberships (id),
    CONSTRAINT fk_merges_kept_person_id FOREIGN KEY(kept_person_id) REFERENCES people (id),
    CONSTRAINT fk_merges_merged_person_id FOREIGN KEY(merged_person_id) REFERENCES people (id)
);

CREATE INDEX ix_merges_kept_person_id ON merges (kept_person_id);

CREATE INDEX ix_merges_course_id ON merges (course_id);

CREATE INDEX ix_merges_kept_member_id ON merges (kept_member_id);

CREATE INDEX ix_merges_merged_member_id ON merges (merged_member_id);

CREATE INDEX ix_merges_merged_person_id ON merges (merged_person_id);

CREATE TABLE submissions (
    id VARCHAR(26) NOT NULL,
    created_at DATETIME NOT NULL,
    student VARCHAR(200) NOT NULL,
    assignment_id VARCHAR(64) NOT NULL,
    attempt INTEGER NOT NULL,
    filename VARCHAR(255) NOT NULL,
    sha256 VARCHAR(64) NOT NULL,
    content BLOB NOT NULL,
    submitted_by VARCHAR(26) NOT NULL,
    job_status VARCHAR(16) NOT NULL,
    tries INTEGER NOT NULL,
    claim VARCHAR(26),
    started_at DATETIME,
    finished_at DATETIME,
    priority INTEGER DEFAULT '0' NOT NULL,
    idempotency_key VARCHAR(255),
    arrival INTEGER DEFAULT '0' NOT NULL,
    beat INTEGER DEFAULT '0' NOT NULL,
    held_at DATETIME,
    hold_decision VARCHAR(16),
    hold_decided_by VARCHAR(200),
    hold_decided_at DATETIME,
    hold_reason TEXT,
    membership_id VARCHAR(26) NOT NULL,
    course_assignment_id VARCHAR(26) NOT NULL,
    course_id VARCHAR(26) NOT NULL,
    CONSTRAINT pk_submissions PRIMARY KEY (id),
    CONSTRAINT uq_submissions_membership_id_course_assignment_id_attempt UNIQUE (membership_id, course_assignment_id, attempt),
    CONSTRAINT fk_submissions_membership_id FOREIGN KEY(membership_id) REFERENCES memberships (id),
    CONSTRAINT fk_submissions_course_assignment_id FOREIGN KEY(course_assignment_id) REFERENCES course_assignments (id),
    CONSTRAINT fk_submissions_course_id FOREIGN KEY(course_id) REFERENCES courses (id)
);

CREATE INDEX ix_submissions_queue ON submissions (job_status, priority DESC, arrival, id);

CREATE INDEX ix_submissions_arrival ON submissions (arrival);

CREATE INDEX ix_submissions_job_status_created_at_id ON submissions (job_status, created_at, id);

CREATE INDEX ix_submissions_student ON submissions (student);

CREATE INDEX ix_submissions_submitted_by_created_at ON submissions (submitted_by, created_at);

CREATE UNIQUE INDEX ix_submissions_running ON submissions (membership_id) WHERE job_status = 'running';

CREATE UNIQUE INDEX ix_submissions_submitted_by_idempotency_key ON submissions (submitted_by, idempotency_key);

CREATE INDEX ix_submissions_course_id_id ON submissions (course_id, id);

CREATE INDEX ix_submissions_course_assignment_id ON submissions (course_assignment_id);

CREATE TABLE tokens (
    id VARCHAR(26) NOT NULL,
    created_at DATETIME NOT NULL,
    name VARCHAR(200) NOT NULL,
    role VARCHAR(16) NOT NULL,
    sha256 VARCHAR(64) NOT NULL,
    expires_at DATETIME,
    revoked_at DATETIME,
    student VARCHAR(200),
    created_by VARCHAR(26),
    idempotency_key VARCHAR(255),
    course_id VARCHAR(26) NOT NULL,
    membership_id VARCHAR(26),
    is_link BOOLEAN NOT NULL,
    used_at DATETIME,
    CONSTRAINT pk_tokens PRIMARY KEY (id),
    CONSTRAINT uq_tokens_sha256 UNIQUE (sha256),
    CONSTRAINT fk_tokens_course_id FOREIGN KEY(course_id) REFERENCES courses (id),
    CONSTRAINT fk_tokens_membership_id FOREIGN KEY(membership_id) REFERENCES memberships (id)
);

CREATE INDEX ix_tokens_membership_id ON tokens (membership_id);

CREATE UNIQUE INDEX ix_tokens_created_by_idempotency_key ON tokens (created_by, idempotency_key);

CREATE INDEX ix_tokens_course_id ON tokens (course_id);

CREATE TABLE batch_files (
    id VARCHAR(26) NOT NULL,
    batch_id VARCHAR(26) NOT NULL,
    path VARCHAR(500) NOT NULL,
    filename VARCHAR(255) NOT NULL,
    name VARCHAR(200) NOT NULL,
    platform VARCHAR(16),
    platform_id VARCHAR(64),
    is_late BOOLEAN NOT NULL,
    state VARCHAR(16) NOT NULL,
    reason JSON NOT NULL,
    content BLOB,
    membership_id VARCHAR(26),
    matched_by VARCHAR(16),
    submission_id VARCHAR(26),
    CONSTRAINT pk_batch_files PRIMARY KEY (id),
    CONSTRAINT fk_batch_files_batch_id FOREIGN KEY(batch_id) REFERENCES batches (id),
    CONSTRAINT fk_batch_files_membership_id FOREIGN KEY(membership_id) REFERENCES memberships (id),
    CONSTRAINT fk_batch_files_submission_id FOREIGN KEY(submission_id) REFERENCES submissions (id)
);

CREATE INDEX ix_batch_files_membership_id ON batch_files (membership_id);

CREATE INDEX ix_batch_files_submission_id ON batch_files (submission_id);

CREATE INDEX ix_batch_files_batch_id_state_id ON batch_files (batch_id, state, id);

CREATE TABLE comments (
    id VARCHAR(26) NOT NULL,
    created_at DATETIME NOT NULL,
    membership_id VARCHAR(26) NOT NULL,
    course_assignment_id VARCHAR(26) NOT NULL,
    made_by VARCHAR(200) NOT NULL,
    submission_id VARCHAR(26),
    text TEXT NOT NULL,
    CONSTRAINT pk_comments PRIMARY KEY (id),
    CONSTRAINT fk_comments_membership_id FOREIGN KEY(membership_id) REFERENCES memberships (id),
    CONSTRAINT fk_comments_course_assignment_id FOREIGN KEY(course_assignment_id) REFERENCES course_assignments (id),
    CONSTRAINT fk_comments_submission_id FOREIGN KEY(submission_id) REFERENCES submissions (id)
);

CREATE INDEX ix_comments_course_assignment_id ON comments (course_assignment_id);

CREATE INDEX ix_comments_membership_id_course_assignment_id_id ON comments (membership_id, course_assignment_id, id);

CREATE INDEX ix_comments_submission_id ON comments (submission_id);

CREATE TABLE lti_scores (
    id VARCHAR(26) NOT NULL,
    lti_link_id VARCHAR(26) NOT NULL,
    membership_id VARCHAR(26) NOT NULL,
    user_id VARCHAR(255) NOT NULL,
    version INTEGER NOT NULL,
    sent_version INTEGER NOT NULL,
    stamp DATETIME,
    attempts INTEGER NOT NULL,
    waits_since DATETIME,
    next_at DATETIME,
    delivered_at DATETIME,
    points DOUBLE,
    max_points DOUBLE,
    failed_at DATETIME,
    last_status INTEGER,
    last_error VARCHAR(500),
    differs_since DATETIME,
    there_points DOUBLE,
    there_max DOUBLE,
    submitted_at DATETIME,
    comment_sha256 VARCHAR(64),
    kept_points DOUBLE,
    kept_max DOUBLE,
    mended_at DATETIME,
    token_refused BOOLEAN DEFAULT 0 NOT NULL,
    CONSTRAINT pk_lti_scores PRIMARY KEY (id),
    CONSTRAINT uq_lti_scores_lti_link_id_user_id UNIQUE (lti_link_id, user_id),
    CONSTRAINT fk_lti_scores_lti_link_id FOREIGN KEY(lti_link_id) REFERENCES lti_links (id),
    CONSTRAINT fk_lti_scores_membership_id FOREIGN KEY(membership_id) REFERENCES memberships (id)
);

CREATE INDEX ix_lti_scores_membership_id ON lti_scores (membership_id);

CREATE INDEX ix_lti_scores_next_at ON lti_scores (next_at);

CREATE TABLE reports (
    id INTEGER NOT NULL,
    submission_id VARCHAR(26) NOT NULL,
    created_at DATETIME NOT NULL,
    status VARCHAR(32) NOT NULL,
    points DOUBLE,
    max_points DOUBLE NOT NULL,
    body JSON NOT NULL,
    preview_id VARCHAR(26),
    assignment_digest VARCHAR(64),
    grader_version VARCHAR(100),
    CONSTRAINT pk_reports PRIMARY KEY (id),
    CONSTRAINT fk_reports_submission_id FOREIGN KEY(submission_id) REFERENCES submissions (id),
    CONSTRAINT fk_reports_preview_id FOREIGN KEY(preview_id) REFERENCES regrades (id)
);

CREATE INDEX ix_reports_preview_id ON reports (preview_id);

CREATE INDEX ix_reports_submission_id ON reports (submission_id);

CREATE TABLE review_requests (
    id VARCHAR(26) NOT NULL,
    created_at DATETIME NOT NULL,
    submission_id VARCHAR(26) NOT NULL,
    text TEXT NOT NULL,
    answer TEXT,
    answered_by VARCHAR(200),
    answered_at DATETIME,
    CONSTRAINT pk_review_requests PRIMARY KEY (id),
    CONSTRAINT fk_review_requests_submission_id FOREIGN KEY(submission_id) REFERENCES submissions (id)
);

CREATE UNIQUE INDEX ix_review_requests_open ON review_requests (submission_id) WHERE answered_at IS NULL;

CREATE INDEX ix_review_requests_submission_id ON review_requests (submission_id);

CREATE TABLE sessions (
    sha256 VARCHAR(64) NOT NULL,
    token_id VARCHAR(26),
    created_at DATETIME NOT NULL,
    expires_at DATETIME NOT NULL,
    person_id VARCHAR(26),
    course_id VARCHAR(26),
    CONSTRAINT pk_sessions PRIMARY KEY (sha256),
    CONSTRAINT ck_sessions_ck_sessions_owner CHECK ((token_id IS NULL) <> (person_id IS NULL)),
    CONSTRAINT fk_sessions_token_id FOREIGN KEY(token_id) REFERENCES tokens (id),
    CONSTRAINT fk_sessions_person_id FOREIGN KEY(person_id) REFERENCES people (id),
    CONSTRAINT fk_sessions_course_id FOREIGN KEY(course_id) REFERENCES courses (id)
);

CREATE INDEX ix_sessions_course_id ON sessions (course_id);

CREATE INDEX ix_sessions_token_id ON sessions (token_id);

CREATE INDEX ix_sessions_person_id ON sessions (person_id);

CREATE TABLE submission_events (
    id INTEGER NOT NULL,
    submission_id VARCHAR(26) NOT NULL,
    event VARCHAR(32) NOT NULL,
    data JSON NOT NULL,
    created_at DATETIME NOT NULL,
    CONSTRAINT pk_submission_events PRIMARY KEY (id),
    CONSTRAINT fk_submission_events_submission_id FOREIGN KEY(submission_id) REFERENCES submissions (id)
);

CREATE INDEX ix_submission_events_submission_id_id ON submission_events (submission_id, id);

CREATE TABLE webhooks (
    id VARCHAR(26) NOT NULL,
    created_at DATETIME NOT NULL,
    url VARCHAR(2000) NOT NULL,
    secret VARCHAR(100) NOT NULL,
    created_by VARCHAR(26) NOT NULL,
    idempotency_key VARCHAR(255),
    course_id VARCHAR(26) NOT NULL,
    CONSTRAINT pk_webhooks PRIMARY KEY (id),
    CONSTRAINT fk_webhooks_created_by FOREIGN KEY(created_by) REFERENCES tokens (id),
    CONSTRAINT fk_webhooks_course_id FOREIGN KEY(course_id) REFERENCES courses (id)
);

CREATE INDEX ix_webhooks_course_id ON webhooks (course_id);

CREATE INDEX ix_webhooks_created_by ON webhooks (created_by);

CREATE UNIQUE INDEX ix_webhooks_created_by_idempotency_key ON webhooks (created_by, idempotency_key);

CREATE TABLE artefacts (
    report_id INTEGER NOT NULL,
    name VARCHAR(64) NOT NULL,
    content BLOB NOT NULL,
    CONSTRAINT pk_artefacts PRIMARY KEY (report_id, name),
    CONSTRAINT fk_artefacts_report_id FOREIGN KEY(report_id) REFERENCES reports (id)
);

CREATE TABLE deliveries (
    id VARCHAR(26) NOT NULL,
    created_at DATETIME NOT NULL,
    webhook_id VARCHAR(26) NOT NULL,
    event VARCHAR(32) NOT NULL,
    report_id INTEGER,
    attempts INTEGER NOT NULL,
    next_at DATETIME,
    delivered_at DATETIME,
    last_status INTEGER,
    last_error VARCHAR(200),
    waits_since DATETIME,
    CONSTRAINT pk_deliveries PRIMARY KEY (id),
    CONSTRAINT fk_deliveries_webhook_id FOREIGN KEY(webhook_id) REFERENCES webhooks (id),
    CONSTRAINT fk_deliveries_report_id FOREIGN KEY(report_id) REFERENCES reports (id)
);

CREATE INDEX ix_deliveries_report_id ON deliveries (report_id);

CREATE INDEX ix_deliveries_webhook_id_id ON deliveries (webhook_id, id);

CREATE INDEX ix_deliveries_next_at ON deliveries (next_at);

CREATE TABLE regrade_items (
    regrade_id VARCHAR(26) NOT NULL,
    submission_id VARCHAR(26) NOT NULL,
    old_report_id INTEGER NOT NULL,
    new_report_id INTEGER,
    job_status VARCHAR(16),
    claim VARCHAR(26),
    tries INTEGER NOT NULL,
    beat INTEGER NOT NULL,
    is_held BOOLEAN NOT NULL,
    CONSTRAINT pk_regrade_items PRIMARY KEY (regrade_id, submission_id),
    CONSTRAINT fk_regrade_items_regrade_id FOREIGN KEY(regrade_id) REFERENCES regrades (id),
    CONSTRAINT fk_regrade_items_submission_id FOREIGN KEY(submission_id) REFERENCES submissions (id),
    CONSTRAINT fk_regrade_items_old_report_id FOREIGN KEY(old_report_id) REFERENCES reports (id),
    CONSTRAINT fk_regrade_items_new_report_id FOREIGN KEY(new_report_id) REFERENCES reports (id)
);

CREATE INDEX ix_regrade_items_job_status_tries_regrade_id_submission_id ON regrade_items (job_status, tries, regrade_id, submission_id);

CREATE INDEX ix_regrade_items_submission_id ON regrade_items (submission_id);

CREATE TABLE report_diagnoses (
    report_id INTEGER NOT NULL,
    code VARCHAR(64) NOT NULL,
    CONSTRAINT pk_report_diagnoses PRIMARY KEY (report_id, code),
    CONSTRAINT fk_report_diagnoses_report_id FOREIGN KEY(report_id) REFERENCES reports (id)
);

CREATE INDEX ix_report_diagnoses_code ON report_diagnoses (code);

CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

INSERT INTO alembic_version (version_num) VALUES ('0024');

INSERT INTO courses (id, title, language, time_zone, created_at)
VALUES ('00000000000000000000000000', 'Default', 'ru', 'UTC', '2026-11-28 00:00:00');
