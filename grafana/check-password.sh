#!/bin/sh
# Fails when Grafana could be reached from elsewhere with the password that everybody knows.
case "${BIND_ADDRESS}" in
127.* | ::1 | '[::1]' | localhost) exit 0 ;;
esac
case "${GRAFANA_PASSWORD}" in
'' | admin)
    echo "error: BIND_ADDRESS=${BIND_ADDRESS} lets others reach Grafana, and GRAFANA_PASSWORD is '${GRAFANA_PASSWORD}'" >&2
    echo "hint: set GRAFANA_PASSWORD in .env to a password of your own" >&2
    exit 1
    ;;
esac
