CREATE OR REPLACE FUNCTION gold.get_source_status(
  source_status STRING DEFAULT NULL
    COMMENT 'One state. Technical: assessed, stale or not_assessed; all when NULL'
)
RETURNS TABLE (
  source STRING COMMENT 'The source table. Technical: name below the system catalog',
  table_name STRING COMMENT 'The bronze table that copies it. Technical: two-part name',
  status STRING
    COMMENT 'Whether its figures are known. Technical: assessed, stale or not_assessed',
  detail STRING COMMENT 'Why it is not assessed. Technical: NULL when there is nothing to say',
  row_count BIGINT COMMENT 'Rows that bronze holds. Technical: count after the last look',
  checked_at TIMESTAMP COMMENT 'When it was last looked at. Technical: UTC'
)
COMMENT 'Which sources the figures rest on, and which of them are not assessed: what is computed from those is unknown, not zero. Technical: the last row of each source in source_status.'
RETURN
  WITH looks AS (
    SELECT
      s.source,
      MAX_BY(
        STRUCT(s.table_name, s.status, s.detail, s.row_count, s.checked_at),
        s.checked_at
      ) AS last
    FROM platform.source_status AS s
    GROUP BY s.source
  )
  SELECT
    l.source,
    l.last.table_name,
    l.last.status,
    l.last.detail,
    l.last.row_count,
    l.last.checked_at
  FROM looks AS l
  WHERE source_status IS NULL
    OR l.last.status = source_status
