WITH days AS (
  SELECT EXPLODE(SEQUENCE(DATE'2015-01-01', DATE'2040-12-31', INTERVAL 1 DAY)) AS date_key
)
SELECT
  date_key,
  YEAR(date_key) AS year,
  QUARTER(date_key) AS quarter,
  MONTH(date_key) AS month,
  DATE_FORMAT(date_key, 'MMMM') AS month_name,
  EXTRACT(YEAROFWEEK FROM date_key) AS year_of_week,
  EXTRACT(WEEK FROM date_key) AS week_of_year,
  DAY(date_key) AS day_of_month,
  DAYOFYEAR(date_key) AS day_of_year,
  WEEKDAY(date_key) + 1 AS day_of_week,
  DATE_FORMAT(date_key, 'EEEE') AS day_name,
  WEEKDAY(date_key) >= 5 AS is_weekend,
  DATE(DATE_TRUNC('MONTH', date_key)) AS first_day_of_month,
  LAST_DAY(date_key) AS last_day_of_month
FROM days
