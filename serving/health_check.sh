#!/bin/bash
# health_check.sh MODELS_CONFIG [PORT]: succeeds if the server has metadata for every model of a models.config. It has
# them only once a version is loaded. For images without curl and wget, as TF Serving's.
set -euo pipefail
port=${2:-8501}
names=$(sed 's/#.*//' "$1" | grep -oE '\bname: *"[^"]+"' | cut -d '"' -f 2)
while read -r name; do
  exec 3<> "/dev/tcp/127.0.0.1/$port"
  printf 'GET /v1/models/%s/metadata HTTP/1.0\r\nHost: localhost\r\n\r\n' "$name" >&3
  head -n 1 <&3 | grep -q ' 200 ' || { echo "model $name is not loaded"; exit 1; }
  exec 3>&-
done <<< "$names"
