#!/bin/sh
# `tmgc diff` as git's external diff and `tmgc ir` as its textconv driver, as docs/diff.md says, with git itself.
# Usage: diff_git.sh BUILD
set -eu
build=$(cd "$1" && pwd)
top=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
PATH=$build:$PATH
HOME=$work GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@t GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@t GIT_PAGER=cat
export PATH HOME GIT_CONFIG_NOSYSTEM GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL GIT_PAGER
passed=0 failed=0

expect() { # what, pattern, file
    if grep -q -e "$2" "$3"; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED: $1: no \"$2\" in:"; sed 's/^/    /' "$3"; fi
}
expect_not() {
    if grep -q -e "$2" "$3"; then failed=$((failed + 1)); echo "FAILED: $1: \"$2\" in:"; sed 's/^/    /' "$3"; else passed=$((passed + 1)); fi
}
ok() { # what, command...
    what=$1; shift
    if "$@" > "$work/out" 2> "$work/err"; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED: $what: $(cat "$work/err")"; fi
}

mkdir "$work/repo" && cd "$work/repo"
git init -q .
printf '*.tmg.xml diff=tmgc\npolicy.yaml diff=tmgc\n' > .gitattributes
cp "$top/samples/busy-array/export.xml" array.tmg.xml
tmgc ir array.tmg.xml > policy.yaml
git add . && git commit -q -m one
sed 's|/checkout/\*|/pay/*|' array.tmg.xml > x && mv x array.tmg.xml
sed 's|/checkout/\*|/pay/*|' policy.yaml > x && mv x policy.yaml

git config diff.tmgc.command "tmgc diff --color=always"
ok "git diff" git diff
expect "the change of the export" '+ paths: /pay/\*' "$work/out"
expect "its witness" 'GET https://shop.fabrikam.example/pay' "$work/out"
expect "the file's name" 'array.tmg.xml' "$work/out"
expect "and the policy's" 'policy.yaml' "$work/out"
expect "colours" "$(printf '\033')\[32m" "$work/out"

git config diff.tmgc.command "tmgc diff --stat"
git commit -q -a -m two
ok "git show" git show --ext-diff
expect "one rule" '! rule "Shop checkout" changed (rule 3): paths' "$work/out"
git mv array.tmg.xml renamed.tmg.xml && git commit -q -m three
ok "git log -p over a rename and a first commit" git log -p --ext-diff
expect "a new file" '! rule "Shop" added' "$work/out"
echo broken > renamed.tmg.xml
ok "git diff with a file that is no export" git diff
expect "is said" 'renamed.tmg.xml: cannot be compared' "$work/out"
git checkout -q renamed.tmg.xml
ok "lines where they are asked for" git diff --no-ext-diff HEAD~2 HEAD~1 -- array.tmg.xml
expect "XML" '^+.*/pay/' "$work/out"

git config --unset diff.tmgc.command
git config diff.tmgc.textconv "tmgc ir"
ok "textconv" git diff HEAD~2 HEAD~1 -- array.tmg.xml
expect "policies" '^+    paths: \[/pay/\*\]' "$work/out"
expect_not "no XML" 'fpc4' "$work/out"
git config diff.tmgc.textconv "sh -c 'tmgc ir \"\$1\" | sed /^.*export:.{/d' -"
ok "textconv without lines" git diff HEAD~2 HEAD~1 -- array.tmg.xml
expect "policies" '^+    paths: \[/pay/\*\]' "$work/out"
expect_not "no places in the export" 'export:' "$work/out"

git show HEAD~2:policy.yaml | tmgc diff - policy.yaml --format markdown > "$work/out" || test $? = 1
expect "Markdown" '^#### `rule "Shop checkout" changed' "$work/out"
echo "diff_git: $passed passed, $failed failed"
test $failed = 0
