"""Tables of the store. Migrations are numbered, idempotent, and never edited after a release.

llm_calls          every version of every call; `current_calls` shows the latest version of each
llm_call_versions  what was replaced, by which change and why
llm_call_stage     the changes that are being applied, one partition each, and nothing otherwise (`changes.py`)
"""

from llmlab.usage import Usage
from llmlab_exporter.rows import usage_column

_USAGE_COLUMNS = ",\n            ".join(
    f"{usage_column(field)} Nullable(UInt64) CODEC(ZSTD(1))" for field in Usage._fields
)

_KEY_COLUMNS = """org LowCardinality(String),
            project LowCardinality(String),
            started_at DateTime64(9, 'UTC') CODEC(T64, ZSTD(1)),
            trace_id FixedString(16),
            span_id FixedString(8)"""

_CHANGEABLE_COLUMNS = """billable Bool,
            duplicate_of Nullable(FixedString(8)),
            cost_usd Nullable(Decimal(38, 24)) CODEC(ZSTD(1)),
            cost_source LowCardinality(String),
            cost_reason LowCardinality(String),
            cost_detail String CODEC(ZSTD(1)),
            catalogue LowCardinality(String),
            price_provider LowCardinality(String),
            price_model LowCardinality(String),
            rate_start LowCardinality(String),
            rate LowCardinality(String),
            discount LowCardinality(String),
            computed_cost_usd Nullable(Decimal(38, 24)) CODEC(ZSTD(1))"""

_DURABLE = "SETTINGS fsync_after_insert = 1, fsync_part_directory = 1"

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        f"""
        CREATE TABLE IF NOT EXISTS {{database}}.llm_calls (
            {_KEY_COLUMNS},
            service_name LowCardinality(String),
            environment LowCardinality(String),
            ended_at DateTime64(9, 'UTC') CODEC(T64, ZSTD(1)),
            parent_span_id FixedString(8),
            dialect LowCardinality(String),
            provider LowCardinality(String),
            model LowCardinality(String),
            request_model LowCardinality(String),
            response_model LowCardinality(String),
            operation LowCardinality(String),
            outcome LowCardinality(String),
            error_type LowCardinality(String),
            finish_reason LowCardinality(String),
            response_id String CODEC(ZSTD(1)),
            tier LowCardinality(String),
            batch Bool,
            stream Nullable(Bool),
            first_chunk_s Nullable(Float64),
            {_USAGE_COLUMNS},
            usage_source LowCardinality(String),
            usage_spoiled Bool,
            {_CHANGEABLE_COLUMNS},
            provider_cost_usd Nullable(Decimal(38, 24)) CODEC(ZSTD(1)),
            claimed_cost_usd Nullable(Decimal(38, 24)) CODEC(ZSTD(1)),
            feature LowCardinality(String),
            user_id String CODEC(ZSTD(1)),
            session_id String CODEC(ZSTD(1)),
            run_id String CODEC(ZSTD(1)),
            flaws String CODEC(ZSTD(1)),
            batch_id LowCardinality(String),
            version UInt32 DEFAULT 1,
            change_id LowCardinality(String)
        )
        ENGINE = ReplacingMergeTree(version)
        PARTITION BY toYYYYMM(started_at)
        ORDER BY (org, project, toDate(started_at), trace_id, span_id)
        {_DURABLE}
        """,
        f"""
        CREATE TABLE IF NOT EXISTS {{database}}.llm_call_versions (
            {_KEY_COLUMNS},
            {_CHANGEABLE_COLUMNS},
            version UInt32,
            change_id LowCardinality(String),
            replaced_by LowCardinality(String),
            reason LowCardinality(String),
            replaced_at DateTime DEFAULT now() CODEC(Delta, ZSTD(1))
        )
        ENGINE = ReplacingMergeTree
        PARTITION BY toYYYYMM(started_at)
        ORDER BY (org, project, toDate(started_at), trace_id, span_id, version)
        {_DURABLE}
        """,
        f"""
        CREATE TABLE IF NOT EXISTS {{database}}.llm_call_stage (
            {_KEY_COLUMNS},
            {_CHANGEABLE_COLUMNS},
            base_version UInt32,
            staged_for String
        )
        ENGINE = MergeTree
        PARTITION BY staged_for
        ORDER BY (trace_id, span_id)
        {_DURABLE}
        """,
        "CREATE VIEW IF NOT EXISTS {database}.current_calls AS SELECT * FROM {database}.llm_calls FINAL",
    ),
    (
        """
        ALTER TABLE {database}.llm_calls
            ADD COLUMN IF NOT EXISTS sampling_threshold UInt64 CODEC(ZSTD(1)) AFTER flaws
        """,
        "CREATE OR REPLACE VIEW {database}.current_calls AS SELECT * FROM {database}.llm_calls FINAL",
    ),
    (
        """
        ALTER TABLE {database}.llm_calls
            ADD COLUMN IF NOT EXISTS images Nullable(UInt64) CODEC(ZSTD(1)) AFTER text_messages
        """,
        "CREATE OR REPLACE VIEW {database}.current_calls AS SELECT * FROM {database}.llm_calls FINAL",
    ),
    (
        *(
            f"ALTER TABLE {{database}}.{table} "
            "ADD COLUMN IF NOT EXISTS duplicate_reason LowCardinality(String) AFTER duplicate_of"
            for table in ("llm_calls", "llm_call_versions", "llm_call_stage")
        ),
        "CREATE OR REPLACE VIEW {database}.current_calls AS SELECT * FROM {database}.llm_calls FINAL",
    ),
)
