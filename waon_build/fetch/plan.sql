-- The SQL of plan.py: statements by name, run by DuckDB in this order.
--
-- Views made by plan.py, each with a table NAME_file (filename, part_name, part: its place among the inputs):
--   text          the candidates to plan (schema CANDIDATE)
--   earlier       keys of the distinct pairs of earlier generations: caption_key, host_key, url_key
--   earlier_plan  what earlier generations planned (schema PLANNED)
--   kept_before   what this generation and later ones planned last, by the same rules (schema PLANNED)
--   fetched       what this generation has fetched already: url
--   fetched_elsewhere  what the other generations have fetched: url
-- Variables: per_host, in_all, generation, samples. Functions: normalised(caption), taken_down(url, page_url).
--
-- Keys are 64 bits of MD5. A collision could at worst count two captions as one, or put two URLs into one batch.

-- name: macros

-- Of the candidate at a place: the order of parts, then of rows.
CREATE MACRO row_id(part, row_number) AS (part << 40) | row_number::UBIGINT;

CREATE MACRO host_of(url) AS lower(regexp_extract(url, '^[A-Za-z]+://(?:[^/?#]*@)?(\[[^\]/]*\]|[^/?#:]*)', 1));

CREATE MACRO batch_name(number) AS printf('%s-%06d', getvariable('generation'), number);

-- name: candidates

CREATE TABLE candidate AS
SELECT row_id(part, file_row_number) AS id,
       md5_number_lower(url) AS url_key,
       md5_number_lower(normalised(caption)) AS caption_key,
       md5_number_lower(host_of(url)) AS host_key,
       taken_down(url, page_url) AS is_taken_down
FROM text JOIN text_file USING (filename);

-- name: repeats

-- The first candidate of each URL and caption that no earlier generation had.
CREATE TABLE distinct_pair AS
SELECT min(id) AS id, url_key, caption_key, min(host_key) AS host_key
FROM candidate ANTI JOIN earlier USING (url_key, caption_key)
WHERE NOT is_taken_down
GROUP BY url_key, caption_key;

CREATE TABLE repeated AS
WITH pair AS (
    SELECT caption_key, host_key FROM distinct_pair
    UNION ALL
    SELECT caption_key, host_key FROM earlier
)
SELECT caption_key, host_key, count(*) AS on_host, sum(count(*)) OVER (PARTITION BY caption_key) AS in_all
FROM pair
GROUP BY caption_key, host_key
QUALIFY on_host > getvariable('per_host') OR in_all > getvariable('in_all');

-- What becomes of each candidate: a reason, or NULL when it goes on.
CREATE TABLE fate AS
WITH let_in AS (
    SELECT DISTINCT md5_number_lower(url) AS url_key, md5_number_lower(normalised(caption)) AS caption_key
    FROM kept_before
)
SELECT candidate.id, candidate.url_key, candidate.host_key,
       CASE WHEN is_taken_down THEN 'taken_down'
            WHEN distinct_pair.id IS NULL THEN 'duplicate_candidate'
            WHEN let_in.url_key IS NOT NULL THEN NULL
            WHEN on_host > getvariable('per_host') THEN 'caption_repeated_on_host'
            WHEN in_all > getvariable('in_all') THEN 'caption_repeated'
       END AS reason
FROM candidate
     LEFT JOIN distinct_pair ON candidate.id = distinct_pair.id
     LEFT JOIN let_in ON candidate.url_key = let_in.url_key AND candidate.caption_key = let_in.caption_key
     LEFT JOIN repeated ON candidate.caption_key = repeated.caption_key AND candidate.host_key = repeated.host_key;

-- name: known

-- A URL that this generation has fetched stays in the batch that has it.
CREATE TABLE kept_batch AS
SELECT md5_number_lower(url) AS url_key, min(part_name) AS batch
FROM fetched JOIN fetched_file USING (filename)
GROUP BY url_key;

-- A URL that an earlier generation planned is fetched there; one that only another has fetched stays there.
CREATE TABLE image_part AS
SELECT url, min(image_part) AS image_part
FROM (
    SELECT url, image_part FROM earlier_plan WHERE batch = image_part
    UNION ALL
    SELECT url, part_name
    FROM fetched_elsewhere JOIN fetched_elsewhere_file USING (filename) ANTI JOIN fetched USING (url)
)
GROUP BY url;

-- name: hosts

SELECT host_key, count(DISTINCT url_key) AS urls
FROM fate ANTI JOIN kept_batch USING (url_key)
WHERE reason IS NULL
GROUP BY host_key
ORDER BY host_key;

-- name: counts

SELECT reason, count(*) FROM fate GROUP BY reason;

-- name: samples

WITH few AS (
    SELECT reason, unnest(min({k: url_key, id: id}, 5)).id AS id
    FROM fate
    WHERE reason IS NOT NULL
    GROUP BY reason
)
SELECT text.*, reason
FROM text JOIN text_file USING (filename) JOIN few ON few.id = row_id(part, file_row_number);

-- name: planned

-- Table host_batch (host_key, first, pieces) comes from plan.py: see packed().
WITH placed AS (
    SELECT text.* EXCLUDE (filename, file_row_number),
           coalesce(kept_batch.batch, batch_name(first + (fate.url_key % pieces::UBIGINT)::BIGINT)) AS batch
    FROM text JOIN text_file USING (filename)
         JOIN fate ON fate.id = row_id(part, file_row_number) AND reason IS NULL
         LEFT JOIN kept_batch ON kept_batch.url_key = fate.url_key
         LEFT JOIN host_batch ON host_batch.host_key = fate.host_key
), planned AS (
    SELECT placed.*, coalesce(image_part.image_part, placed.batch) AS image_part
    FROM placed LEFT JOIN image_part ON image_part.url = placed.url
)
SELECT planned.*, md5_number_lower(planned::VARCHAR) AS row_digest
FROM planned
ORDER BY batch, url, candidate_id;

-- name: seen

SELECT caption_key, host_key, url_key FROM distinct_pair ORDER BY ALL;
