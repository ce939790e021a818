# Runs the files named on standard input, one after the other, in this one shell.
# $1: folder of the files; $2: mark that separates reports from output.
exec 9<&0 </dev/null 8>&1 2>&1
__sw_dir=$1
__sw_mark=$2
shift 2
__sw_end() {
  __sw_code=$?
  export -p >"$__sw_dir/env"
  pwd >"$__sw_dir/cwd"
  printf '\036%s exit %s\n' "$__sw_mark" "$__sw_code" >&8
}
if [ -f "$__sw_dir/env" ]; then
  . "$__sw_dir/env"
  IFS= read -r __sw_cwd <"$__sw_dir/cwd" && cd "$__sw_cwd"
fi
trap __sw_end EXIT
while read -r __sw_next <&9; do
  . "$__sw_dir/$__sw_next" 9<&-
  printf '\036%s done %s\n' "$__sw_mark" "$?" >&8
done
trap - EXIT
