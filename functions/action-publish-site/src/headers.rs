//! How a file of a site is served: content type by extension, caching by pattern. Pure.

use std::collections::BTreeMap;

use shared::port::SiteHeaders;

use crate::glob;

/// The digest under which an unchanged object is recognised where its ETag is not the MD5 of its bytes (SSE-KMS,
/// uploads in parts): `x-amz-meta-stagewright-md5`.
pub const DIGEST: &str = "stagewright-md5";

/// Pages, feeds and whatever keeps its name: kept by browsers, asked about every time.
const ASK_AGAIN: &str = "public, max-age=0, must-revalidate";
/// Files with a digest in their name: another content has another name.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// The headers of a file. `patterns` maps patterns to `Cache-Control`; the longest that matches counts, then the default.
pub fn headers(path: &str, md5: &str, patterns: &BTreeMap<String, String>) -> SiteHeaders {
    let configured = patterns
        .iter()
        .filter(|(pattern, _)| glob::matches(pattern, path))
        .max_by_key(|(pattern, _)| pattern.len())
        .map(|(_, value)| value.as_str());
    let default = if has_digest(path) && !is_page(path) {
        FOR_EVER
    } else {
        ASK_AGAIN
    };
    SiteHeaders {
        content_type: content_type(path).to_owned(),
        cache_control: Some(configured.unwrap_or(default).to_owned()),
        metadata: vec![(DIGEST.to_owned(), md5.to_owned())],
    }
}

/// Whether a file is a page, which is put after everything it may point to.
pub fn is_page(path: &str) -> bool {
    matches!(extension(path).as_str(), "html" | "htm" | "xhtml")
}

/// Whether the name ends in a digest before its extension, as `app.3f2a9c01.js`: eight or more lower-case hex
/// digits, letters and figures both, so that neither dates nor words are taken for one.
fn has_digest(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.split_once('.').map_or(name, |_| {
        name.rsplit_once('.').map_or(name, |(stem, _)| stem)
    });
    let stem = stem.strip_suffix(".min").unwrap_or(stem);
    let Some((_, last)) = stem.rsplit_once(['.', '-', '_']) else {
        return false;
    };
    last.len() >= 8
        && last.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        && last.bytes().any(|b| b.is_ascii_digit())
        && last.bytes().any(|b| b.is_ascii_alphabetic())
}

fn extension(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => extension.to_ascii_lowercase(),
        _ => String::new(),
    }
}

/// What web sites hold, as IANA registered it; anything else is bytes.
fn content_type(path: &str) -> &'static str {
    match extension(path).as_str() {
        "html" | "htm" => "text/html; charset=utf-8",
        "xhtml" => "application/xhtml+xml; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" | "map" => "application/json",
        "jsonld" => "application/ld+json",
        "webmanifest" => "application/manifest+json",
        "xml" | "xsl" => "application/xml",
        "rss" => "application/rss+xml",
        "atom" => "application/atom+xml",
        "txt" => "text/plain; charset=utf-8",
        "md" => "text/markdown; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        "ics" => "text/calendar; charset=utf-8",
        "yaml" | "yml" => "application/yaml",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "apng" => "image/apng",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "ico" => "image/vnd.microsoft.icon",
        "bmp" => "image/bmp",
        "tif" | "tiff" => "image/tiff",
        "woff" => "font/woff",
        "woff2" => "font/woff2",
        "ttf" => "font/ttf",
        "otf" => "font/otf",
        "eot" => "application/vnd.ms-fontobject",
        "mp3" => "audio/mpeg",
        "ogg" | "oga" | "opus" => "audio/ogg",
        "wav" => "audio/wav",
        "m4a" => "audio/mp4",
        "mp4" | "m4v" => "video/mp4",
        "webm" => "video/webm",
        "ogv" => "video/ogg",
        "vtt" => "text/vtt; charset=utf-8",
        "pdf" => "application/pdf",
        "wasm" => "application/wasm",
        "zip" => "application/zip",
        "gz" => "application/gzip",
        "tar" => "application/x-tar",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_follow_the_name() {
        for (path, content_type, cache) in [
            ("index.html", "text/html; charset=utf-8", ASK_AGAIN),
            ("a/INDEX.HTM", "text/html; charset=utf-8", ASK_AGAIN),
            ("page-3f2a9c01.html", "text/html; charset=utf-8", ASK_AGAIN),
            (
                "js/app.3f2a9c01.js",
                "text/javascript; charset=utf-8",
                FOR_EVER,
            ),
            (
                "js/app-3f2a9c01d4.min.js",
                "text/javascript; charset=utf-8",
                FOR_EVER,
            ),
            ("style.css", "text/css; charset=utf-8", ASK_AGAIN),
            ("report-20240101.pdf", "application/pdf", ASK_AGAIN),
            ("words-deadbeef.png", "image/png", ASK_AGAIN),
            (
                ".well-known/security",
                "application/octet-stream",
                ASK_AGAIN,
            ),
            (".html", "application/octet-stream", ASK_AGAIN),
        ] {
            let headers = headers(path, "m", &BTreeMap::new());
            assert_eq!(headers.content_type, content_type, "{path}");
            assert_eq!(headers.cache_control.as_deref(), Some(cache), "{path}");
        }
    }

    #[test]
    fn the_longest_pattern_counts() {
        let patterns = [("*", "a"), ("*.css", "b"), ("old/**", "c")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into();
        let cache = |path| headers(path, "m", &patterns).cache_control.unwrap();
        assert_eq!(cache("x.js"), "a");
        assert_eq!(cache("x.css"), "b");
        assert_eq!(cache("old/x.css"), "c");
    }
}
