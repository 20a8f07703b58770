CREATE OR REPLACE FUNCTION platform.mask_text(value STRING COMMENT 'Who.') RETURNS STRING
COMMENT 'A pseudonym. Technical: SHA-256.'
RETURN SHA2(value, 256)
