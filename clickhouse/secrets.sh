#!/bin/sh
# Makes the passwords of a cluster at its first start, and writes them as each program wants them.
#
#   secrets.sh DIRECTORY TOKEN
#
# DIRECTORY keeps them. TOKEN is the file with Grafana's; one that an exporter on embedded storage wrote stays.
set -eu
umask 077
token=$2
cd "$1"

random() {
    od -An -N24 -tx1 /dev/urandom | tr -d ' \n'
}

for name in redis exporter nodes; do
    [ -s "$name" ] || { random >"$name.new" && mv "$name.new" "$name"; }
done
[ -s "$token" ] || { random >"$token.new" && mv "$token.new" "$token"; }

digest() {
    printf %s "$(cat "$1")" | sha256sum | cut -d ' ' -f 1
}

server() {
    printf 'http://exporter:%s@clickhouse-%s:8123/llmlab' "$(cat exporter)" "$1"
}

printf 'requirepass %s\n' "$(cat redis)" >redis.conf
printf 'redis://:%s@redis:6379/0\n' "$(cat redis)" >redis-url
for shard in 1 2; do
    printf '%s,%s\n' "$(server "${shard}a")" "$(server "${shard}b")" >"clickhouse-url-$shard"
done
cat >clickhouse.xml <<END
<clickhouse>
    <nodes_secret>$(cat nodes)</nodes_secret>
    <exporter_sha256>$(digest exporter)</exporter_sha256>
    <grafana_sha256>$(digest "$token")</grafana_sha256>
</clickhouse>
END
