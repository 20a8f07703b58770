CREATE OR REPLACE FUNCTION platform.mask_personal_text(value STRING COMMENT 'Who it is.')
RETURNS STRING
COMMENT 'A pseudonym for a person. Technical: the first 16 digits of the SHA-256; NULL stays NULL.'
RETURN CONCAT('masked_', LEFT(SHA2(value, 256), 16))
