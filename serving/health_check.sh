#!/bin/bash
# health_check.sh MODELS_CONFIG [PORT]: succeeds if the server has metadata for every model of a models.config. It has
# them only once a version is loaded. For images without curl and wget, as TF Serving's.
#
# With TF_ONEDNN_ASSUME_FROZEN_WEIGHTS=1 it fails if a model has a version that would answer wrong logits.
set -euo pipefail
port=${2:-8501}
if [[ ${TF_ONEDNN_ASSUME_FROZEN_WEIGHTS:-0} =~ ^(1|[Tt]rue)$ ]]; then
  bases=$(sed 's/#.*//' "$1" | grep -oE '\bbase_path: *"[^"]+"' | cut -d '"' -f 2)
  while read -r base; do
    for manifest in "$base"/*/assets.extra/tfclf.json; do
      [ -f "$manifest" ] && grep -q '"engine": "lean"' "$manifest" || continue
      grep -q '"frozen_weights": true' "$manifest" || {
        echo "$manifest is of an older export: its logits are wrong with TF_ONEDNN_ASSUME_FROZEN_WEIGHTS=1"
        exit 1
      }
    done
  done <<< "$bases"
fi
names=$(sed 's/#.*//' "$1" | grep -oE '\bname: *"[^"]+"' | cut -d '"' -f 2)
while read -r name; do
  exec 3<> "/dev/tcp/127.0.0.1/$port"
  printf 'GET /v1/models/%s/metadata HTTP/1.0\r\nHost: localhost\r\n\r\n' "$name" >&3
  head -n 1 <&3 | grep -q ' 200 ' || { echo "model $name is not loaded"; exit 1; }
  exec 3>&-
done <<< "$names"
