"""Tables of the store. Migrations are numbered, idempotent, and never edited after a release."""

from llmlab.usage import Usage
from llmlab_exporter.rows import usage_column

_USAGE_COLUMNS = ",\n            ".join(
    f"{usage_column(field)} Nullable(UInt64) CODEC(ZSTD(1))" for field in Usage._fields
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        f"""
        CREATE TABLE IF NOT EXISTS {{database}}.llm_calls (
            org LowCardinality(String),
            project LowCardinality(String),
            service_name LowCardinality(String),
            environment LowCardinality(String),
            started_at DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
            ended_at DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
            trace_id FixedString(16),
            span_id FixedString(8),
            parent_span_id FixedString(8),
            dialect LowCardinality(String),
            provider LowCardinality(String),
            model LowCardinality(String),
            request_model LowCardinality(String),
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
            billable Bool,
            duplicate_of Nullable(FixedString(8)),
            cost_usd Nullable(Decimal(38, 24)) CODEC(ZSTD(1)),
            cost_source LowCardinality(String),
            cost_reason LowCardinality(String),
            catalogue LowCardinality(String),
            price_provider LowCardinality(String),
            price_model LowCardinality(String),
            rate_start LowCardinality(String),
            provider_cost_usd Nullable(Decimal(38, 24)) CODEC(ZSTD(1)),
            claimed_cost_usd Nullable(Decimal(38, 24)) CODEC(ZSTD(1)),
            feature LowCardinality(String),
            user_id String CODEC(ZSTD(1)),
            session_id String CODEC(ZSTD(1)),
            run_id String CODEC(ZSTD(1)),
            flaws String CODEC(ZSTD(1)),
            batch_id LowCardinality(String)
        )
        ENGINE = ReplacingMergeTree
        PARTITION BY toYYYYMM(started_at)
        ORDER BY (org, project, toDate(started_at), trace_id, span_id)
        SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
        """,
    ),
)
