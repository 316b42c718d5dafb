// Asks a ClickHouse over HTTP as Grafana's ClickHouse plugin does: with clickhouse-go, gzip, and settings in the URL.
//
// Usage: client HOST:PORT USER TOKEN STATEMENT. Prints the rows as JSON, one a line; on failure the error.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

func main() {
	if err := ask(os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func ask(address, user, token, statement string) error {
	db := clickhouse.OpenDB(&clickhouse.Options{
		Addr:        []string{address},
		Protocol:    clickhouse.HTTP,
		Auth:        clickhouse.Auth{Database: "llmlab", Username: user, Password: token},
		Compression: &clickhouse.Compression{Method: clickhouse.CompressionGZIP},
		Settings:    clickhouse.Settings{"limit": 1000000},
		DialTimeout: 10 * time.Second,
		ReadTimeout: 60 * time.Second,
	})
	defer db.Close()
	if err := db.PingContext(context.Background()); err != nil {
		return err
	}
	rows, err := db.QueryContext(context.Background(), statement)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	for rows.Next() {
		values := make([]any, len(columns))
		places := make([]any, len(columns))
		for i := range values {
			places[i] = &values[i]
		}
		if err := rows.Scan(places...); err != nil {
			return err
		}
		line, err := json.Marshal(values)
		if err != nil {
			return err
		}
		fmt.Println(string(line))
	}
	return rows.Err()
}
