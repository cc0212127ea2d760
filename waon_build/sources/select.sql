-- The SQL of select.py: which rows of one index file are pages that we want, and why the others are not.
--
-- Only the columns that a statement names are read of the file, and of those only the row groups that its WHERE does
-- not exclude by their statistics. Put in by select.py: {file}; and the conditions {is_ours} on the languages and
-- {is_placed} on the location.

-- name: page

CREATE VIEW page AS
SELECT *,
       coalesce(content_mime_detected, content_mime_type) AS mime,
       CASE WHEN fetch_status IS DISTINCT FROM 200 THEN 'not_ok'
            WHEN mime IS NULL OR mime NOT IN ('text/html', 'application/xhtml+xml') THEN 'not_html'
            WHEN content_languages IS NULL THEN 'language_not_known'
            WHEN NOT ({is_ours}) THEN 'page_in_another_language'
            WHEN NOT ({is_placed}) THEN 'no_location'
       END AS reason
FROM {file};

-- name: counts

SELECT reason, count(*) FROM page GROUP BY reason ORDER BY reason;

-- name: samples

-- From the beginning of the file: the addresses of all that is dropped would be most of it.
SELECT url, warc_filename, warc_record_offset::BIGINT, warc_record_length::BIGINT, reason
FROM page
WHERE file_row_number < 1000 AND reason IS NOT NULL
QUALIFY row_number() OVER (PARTITION BY reason ORDER BY file_row_number) <= 5;

-- name: selected

SELECT url,
       warc_filename,
       warc_record_offset::BIGINT AS warc_record_offset,
       warc_record_length::BIGINT AS warc_record_length
FROM page
WHERE fetch_status = 200 AND mime IN ('text/html', 'application/xhtml+xml') AND ({is_ours}) AND ({is_placed})
ORDER BY warc_filename, warc_record_offset, url;
