#!/usr/bin/env bash
# What CI does with one environment: on_environment.sh review|deploy|drift ENVIRONMENT
# Exit codes are those of `python -m infra`; see the README.
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-.local/cache/venv/bin/python}
ABOVE_CEILING=5
COMMENT_LIMIT=65536

infra() { "$PYTHON" -m infra "$@"; }

# Runs a command whose exit code 2 says "changes", and gives 0 for that; other codes end the job.
with_changes() {
  local code=0
  "$@" || code=$?
  [ "$code" -eq 0 ] || [ "$code" -eq 2 ] || exit "$code"
}

# Writes one comment a stack, or the one that is there anew.
comment() {
  local title=$1 file=$2 mark body id
  mark="<!-- review: $title -->"
  body=$(printf '%s\n%s' "$mark" "$(cat "$file")")
  if [ "${#body}" -gt "$COMMENT_LIMIT" ]; then
    body=$(printf '%s\nThe review of %s is too long for a comment: read the summary of its job.' \
      "$mark" "$title")
  fi
  local comments="repos/$GITHUB_REPOSITORY/issues/$PULL_REQUEST/comments"
  id=$(gh api --paginate "$comments" --jq ".[] | select(.body | startswith(\"$mark\")) | .id")
  if [ -n "$id" ]; then
    gh api --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/${id%%$'\n'*}" -f "body=$body"
  else
    gh api --method POST "$comments" -f "body=$body"
  fi >/dev/null
}

review() {
  local environment=$1 worst=0 plan stack code
  # Plans hold secrets in plain text; they go, however this ends.
  plans=$(mktemp -d)
  trap 'rm -rf "$plans"' EXIT
  with_changes infra plan --env "$environment" --save "$plans"
  for plan in "$plans"/*.json; do
    [ -e "$plan" ] || continue
    stack=$(basename "$plan" .json) code=0
    infra review "$plan" --format markdown --output "$plans/$stack.md" --env "$environment" ||
      code=$?
    case $code in
      0 | 2 | 3) ;;
      "$ABOVE_CEILING") worst=$code ;;
      *) exit "$code" ;;
    esac
    cat "$plans/$stack.md" >>"${GITHUB_STEP_SUMMARY:-/dev/stdout}"
    [ -z "${PULL_REQUEST:-}" ] || comment "$environment/$stack" "$plans/$stack.md"
  done
  return "$worst"
}

deploy() {
  infra deploy --env "$1"
  # What was deployed is what is there, or the deploy has failed.
  infra plan --env "$1"
}

case $1 in
  review) review "$2" ;;
  deploy) deploy "$2" ;;
  drift) infra drift --env "$2" ;;
  *) echo "unknown command '$1'; there are: review, deploy, drift" >&2 && exit 1 ;;
esac
