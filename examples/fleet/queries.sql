-- Questions to a fleet: rows of `arena-inspect batch` in DuckDB.    duckdb < queries.sql
SET VARIABLE rows = 'reports/**/batch.ndjson';

-- All rows. The columns are named, so that a fleet without any error or finding has them too.
CREATE OR REPLACE TABLE cores AS
SELECT *, to_timestamp(modifiedMs / 1000) AS modified, figures.freeBytes AS freeBytes
FROM read_json(getvariable('rows'), format = 'newline_delimited', columns = {
  path: 'VARCHAR', status: 'VARCHAR', error: 'STRUCT(message VARCHAR, hint VARCHAR)', complete: 'BOOLEAN',
  problem: 'VARCHAR', severity: 'VARCHAR', fileBytes: 'BIGINT', modifiedMs: 'BIGINT', "at": 'TIMESTAMP',
  elapsedMs: 'BIGINT', version: 'VARCHAR', reports: 'MAP(VARCHAR, VARCHAR)',
  findings: 'STRUCT(rule VARCHAR, severity VARCHAR, title VARCHAR)[]',
  figures: 'STRUCT(pid BIGINT, executable VARCHAR, glibc VARCHAR, threads BIGINT, arenas BIGINT, systemBytes BIGINT,
    inUseBytes BIGINT, liveBytes BIGINT, freeBytes BIGINT, mmappedBytes BIGINT, trimReturnsBytes BIGINT,
    virtualBytes BIGINT, residentBytes BIGINT)'
});

-- How many came through?
SELECT status, count(*) AS cores, sum(complete::INT) AS complete FROM cores GROUP BY status ORDER BY status;

-- Which could not be read, and why?
SELECT path, error.message AS why, error.hint AS next FROM cores WHERE status = 'failed' ORDER BY path;

-- What is wrong, and how often? What do those processes keep free?
SELECT f.rule, f.severity, count(*) AS cores, sum(freeBytes) AS freeBytes
FROM (SELECT unnest(findings) AS f, freeBytes FROM cores)
GROUP BY ALL ORDER BY cores DESC, f.rule;

-- Where is the most to gain?
SELECT path, figures.arenas, figures.systemBytes, freeBytes, figures.trimReturnsBytes,
  round(100.0 * figures.inUseBytes / nullif(figures.systemBytes, 0), 1) AS usePercent
FROM cores WHERE status = 'ok' ORDER BY freeBytes DESC NULLS LAST LIMIT 20;

-- Which programs and glibcs use least of what malloc holds?
SELECT figures.executable, figures.glibc, count(*) AS cores, max(figures.arenas) AS mostArenas,
  median(100.0 * figures.inUseBytes / nullif(figures.systemBytes, 0)) AS medianUsePercent, sum(freeBytes) AS freeBytes
FROM cores WHERE status = 'ok' GROUP BY ALL ORDER BY medianUsePercent NULLS LAST;

-- Does it grow from day to day?
SELECT modified::DATE AS day, count(*) AS cores, max(figures.systemBytes) AS mostSystemBytes, median(freeBytes) AS medianFreeBytes
FROM cores WHERE status = 'ok' GROUP BY day ORDER BY day;
