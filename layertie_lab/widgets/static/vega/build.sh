#!/bin/sh
# Builds vega.js and LICENSES.txt beside this file. Usage: sh build.sh [scratch folder]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
scratch=${1:-$(mktemp -d)}
cp "$here/entry.js" "$here/licenses.mjs" "$here/package.json" "$here/package-lock.json" "$scratch"
cd "$scratch"
npm ci --no-audit --no-fund
npx --yes esbuild@0.28.2 entry.js --bundle --minify --format=iife --global-name=vegaBundle --target=es2022 \
  --legal-comments=none --metafile=meta.json --outfile=bundle.js
# The only web address in the code that is not a namespace or a schema name stands inside a warning's text.
sed -e 's#https://github.com/vega/vega-lite/issues/2415#vega-lite issue 2415#g' bundle.js > "$here/vega.js"
node licenses.mjs meta.json > "$here/LICENSES.txt"
