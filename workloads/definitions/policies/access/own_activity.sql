CREATE OR REPLACE FUNCTION platform.own_activity(owner STRING COMMENT 'Whose row it is.')
RETURNS BOOLEAN
COMMENT 'Whether a row is the asking user\'s own. Technical: false where nobody is named.'
RETURN COALESCE(LOWER(owner) = LOWER(CURRENT_USER()), FALSE)
