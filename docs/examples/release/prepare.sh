#!/bin/sh
# Makes the git repository that the example pipeline takes its source from: prepare.sh FOLDER
# Run again it adds a commit when the site's files have changed, and otherwise leaves the repository alone.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
repository=$1
command -v git >/dev/null || { echo "git is needed for the example's source repository" >&2; exit 2; }
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
if [ ! -d "$repository/.git" ]; then
  mkdir -p "$repository"
  git -C "$repository" init --quiet --initial-branch=main
fi
cp -R "$here/site/." "$repository/"
git -C "$repository" add --all
git -C "$repository" -c core.hooksPath=/dev/null diff --cached --quiet ||
  git -C "$repository" -c user.name="Dana Example" -c user.email=dana@example.com -c commit.gpgsign=false \
    commit --quiet --message "Bake the seeded rolls daily"
