WITH windows AS (
  SELECT
    'list' AS source,
    sku_name,
    cloud,
    usage_unit,
    currency_code,
    price_start_time,
    price_end_time,
    pricing.default AS list_price,
    pricing.effective_list.default AS effective_price,
    CAST(NULL AS DECIMAL(38, 18)) AS contract_price
  FROM silver.silver_list_prices
  UNION ALL
  SELECT
    'account' AS source,
    sku_name,
    cloud,
    usage_unit,
    currency_code,
    price_start_time,
    price_end_time,
    CAST(NULL AS DECIMAL(38, 18)) AS list_price,
    CAST(NULL AS DECIMAL(38, 18)) AS effective_price,
    pricing.default AS contract_price
  FROM silver.silver_account_prices
),
cut AS (
  -- a window ends where the next one of its kind begins, whatever the source says
  SELECT
    source,
    sku_name,
    cloud,
    usage_unit,
    currency_code,
    price_start_time AS valid_from,
    LEAST(
      price_end_time,
      LEAD(price_start_time) OVER (
        PARTITION BY source, sku_name, cloud, usage_unit, currency_code
        ORDER BY price_start_time
      )
    ) AS valid_to,
    list_price,
    effective_price,
    contract_price
  FROM windows
),
bounds AS (
  SELECT sku_name, cloud, usage_unit, currency_code, valid_from AS bound FROM cut
  UNION
  SELECT sku_name, cloud, usage_unit, currency_code, valid_to AS bound
  FROM cut
  WHERE valid_to IS NOT NULL
),
segments AS (
  SELECT
    sku_name,
    cloud,
    usage_unit,
    currency_code,
    bound AS valid_from,
    LEAD(bound) OVER (
      PARTITION BY sku_name, cloud, usage_unit, currency_code
      ORDER BY bound
    ) AS valid_to
  FROM bounds
)
SELECT
  s.sku_name,
  s.cloud,
  s.usage_unit,
  s.currency_code,
  s.valid_from,
  s.valid_to,
  s.valid_to IS NULL AS is_current,
  MAX(c.list_price) AS list_price,
  MAX(c.effective_price) AS effective_price,
  MAX(c.contract_price) AS contract_price
FROM segments AS s
JOIN cut AS c
  ON c.sku_name = s.sku_name
  AND c.cloud = s.cloud
  AND c.usage_unit = s.usage_unit
  AND c.currency_code = s.currency_code
  AND c.valid_from <= s.valid_from
  AND (c.valid_to IS NULL OR s.valid_from < c.valid_to)
GROUP BY s.sku_name, s.cloud, s.usage_unit, s.currency_code, s.valid_from, s.valid_to
