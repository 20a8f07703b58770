CREATE OR REPLACE FUNCTION gold.get_daily_usage(day DATE COMMENT 'The day')
RETURNS TABLE (records BIGINT COMMENT 'How many')
COMMENT 'Records of a day. Technical: counts fact_usage.'
RETURN SELECT COUNT(*) AS records FROM gold.fact_usage WHERE usage_date = day
