CREATE OR REPLACE FUNCTION platform.mask_personal_map(
  value MAP<STRING, STRING> COMMENT 'What was asked for.'
)
RETURNS MAP<STRING, STRING>
COMMENT 'Parameters without their values. Technical: the keys stay; NULL stays NULL.'
RETURN TRANSFORM_VALUES(value, (name, content) -> 'masked')
