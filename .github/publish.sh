#!/usr/bin/env bash
# Pushes image and chart and says their digests, as outputs of a step: publish.sh VERSION IMAGE CHARTS FOLDER.
set -euo pipefail
version=$1 image=$2 charts=$3 from=$4

registry=${image%%/*}
docker login "$registry" --username "$ACTOR" --password-stdin <<<"$GH_TOKEN"
helm=$(charts/tool.sh helm)
"$helm" registry login "$registry" --username "$ACTOR" --password-stdin <<<"$GH_TOKEN"

# Images for several platforms, with SBOM and provenance of the build beside them, need a builder of their own.
docker buildx create --name release --driver docker-container --use
docker buildx build --platform linux/amd64,linux/arm64 --tag "$image:$version" \
  --output "type=image,push=true,rewrite-timestamp=true" \
  --build-arg "SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)" --sbom=true --provenance=mode=max \
  --annotation "index:org.opencontainers.image.source=https://github.com/$REPOSITORY" \
  --annotation "index:org.opencontainers.image.version=$version" \
  --metadata-file build.json .
image_digest=$(jq -re '."containerimage.digest"' build.json)

said=$("$helm" push "$from/daemonset-controller-$version.tgz" "oci://$charts" 2>&1)
echo "$said"
chart_digest=$(sed -nE 's/^Digest: (sha256:[0-9a-f]{64})$/\1/p' <<<"$said")
[[ -n $chart_digest ]] || { echo 'publish: helm named no digest' >&2; exit 1; }

{
  echo "image-digest=$image_digest"
  echo "chart-digest=$chart_digest"
} >>"$GITHUB_OUTPUT"
