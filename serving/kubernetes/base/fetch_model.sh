#!/bin/sh
# Put one version of a model where TF Serving looks for it: $MODELS/$MODEL_NAME/$MODEL_VERSION.
#
#   MODEL_URL      an archive (.tar.gz) of the version's folder: tar -czf news-1.tar.gz -C saved_models/news/1 .
#                  https, or any other URL that curl reads, such as a presigned URL of an object store
#   MODEL_SHA256   the archive's checksum
#   TF_ONEDNN_ASSUME_FROZEN_WEIGHTS    as for the server; with 1 an older export is refused, whose logits would be wrong
#   AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION    if set, the request is signed for an S3 store
#
# Needs sh, curl, tar and sha256sum. If anything is wrong, the exit code is not 0 and nothing is left behind.
set -eu
models="${MODELS:-/models}"
version="$models/$MODEL_NAME/$MODEL_VERSION"
if [ -f "$version/saved_model.pb" ]; then
  echo "$version is there already"
  exit 0
fi

archive="$models/.archive"
beside="$models/.new"
rm -rf "$archive" "$beside"
trap 'rm -rf "$archive" "$beside"' EXIT

set -- --fail --location --silent --show-error --retry 5 --retry-connrefused --output "$archive"
if [ -n "${AWS_ACCESS_KEY_ID:-}" ]; then
  # Pass the keys on standard input: other processes can see arguments.
  printf 'user = "%s:%s"\n' "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" |
    curl "$@" --config - --aws-sigv4 "aws:amz:$AWS_REGION:s3" \
      ${AWS_SESSION_TOKEN:+--header "x-amz-security-token: $AWS_SESSION_TOKEN"} "$MODEL_URL"
else
  curl "$@" "$MODEL_URL"
fi

echo "$MODEL_SHA256  $archive" | sha256sum -c - >/dev/null || {
  echo "$MODEL_URL has the checksum $(sha256sum "$archive" | cut -d ' ' -f 1), expected $MODEL_SHA256" >&2
  exit 1
}
mkdir -p "$beside" "$models/$MODEL_NAME"
tar -xzf "$archive" -C "$beside"
[ -f "$beside/saved_model.pb" ] || {
  echo "$MODEL_URL holds no saved_model.pb at its top; expected the content of a version's folder" >&2
  exit 1
}
manifest="$beside/assets.extra/tfclf.json"
case "${TF_ONEDNN_ASSUME_FROZEN_WEIGHTS:-0}" in
  1 | true | True)
    if [ -f "$manifest" ] && grep -q '"engine": "lean"' "$manifest" &&
      ! grep -q '"frozen_weights": true' "$manifest"; then
      echo "$MODEL_URL is an older export, whose logits would be wrong with TF_ONEDNN_ASSUME_FROZEN_WEIGHTS=1;" \
        "export the checkpoint again, or set the variable to 0 in model.env" >&2
      exit 1
    fi
    ;;
esac
mv "$beside" "$version"
echo "$version is ready"
