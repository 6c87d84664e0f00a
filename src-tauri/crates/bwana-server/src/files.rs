//! The files of the interface: from a folder, or carried inside the program. Nothing outside them, whatever a path says.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cap_std::ambient_authority;
use cap_std::fs::Dir;

use crate::limits::FILE_MAX_BYTES;
use crate::refuse;

/// Where the built interface is.
#[derive(Debug, Clone, Default)]
pub enum Ui {
    /// Nowhere: `/` says so and how to build it.
    #[default]
    Missing,
    /// A folder with an `index.html`, read anew for every request.
    Folder(PathBuf),
    /// Inside this program.
    #[cfg(feature = "embed-ui")]
    Embedded,
}

#[cfg(feature = "embed-ui")]
static EMBEDDED: include_dir::Dir<'_> =
    include_dir::include_dir!("$CARGO_MANIFEST_DIR/../../../ui/dist");

const INDEX: &str = "index.html";
/// What addresses of the interface begin with: the page itself reads what follows, so that a reload stays where it was.
const PLACES: &[&str] = &[
    "home",
    "waiting",
    "runs",
    "run",
    "workflows",
    "agents",
    "connections",
    "usage",
    "settings",
];
/// Parts of the longest address: `run/01J…`.
const PLACE_PARTS_MAX: usize = 2;
/// The handbook: its pages may lie in a folder and be called like an error, `help/errors/store.full`.
const HANDBOOK: &str = "help";
const HANDBOOK_PARTS_MAX: usize = 3;
/// Where the bundler puts files whose names change with their contents.
const HASHED_FOLDER: &str = "assets/";
/// The shortest hash in such a name.
const HASH_MIN_CHARS: usize = 8;
/// The longest path of a file.
const PATH_MAX_BYTES: usize = 256;
/// A year: such a file never changes under its name.
const FOREVER: &str = "public, max-age=31536000, immutable";
const ASK_AGAIN: &str = "no-cache";

const NOT_BUILT: &str = "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<title>Bwana</title>
<h1>The interface is not here</h1>
<p>This program works, but the pages of its interface were not built or not found.
<p>Build them with <code>npm run build</code> in the source folder, or name their folder with
<code>bwana serve --ui FOLDER</code>. The command line does everything too: <code>bwana --help</code>.
</html>
";

/// Everything that is no part of the API.
pub(crate) async fn serve(State(ui): State<Arc<Ui>>, request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return refuse::usage(StatusCode::METHOD_NOT_ALLOWED, "files are only read");
    }
    let path = request.uri().path();
    let wanted = if path == "/" { INDEX } else { &path[1..] };
    let Some(name) = plain(wanted) else {
        return not_found();
    };
    let name = if is_place(name) { INDEX } else { name }.to_owned();
    let found = tokio::task::spawn_blocking({
        let name = name.clone();
        move || read(&ui, &name)
    });
    match found.await {
        Ok(Some(bytes)) => file(&name, bytes),
        Ok(None) if name == INDEX => not_built(),
        Ok(None) => not_found(),
        Err(error) => {
            tracing::error!(%error, "a file of the interface cannot be read");
            not_found()
        }
    }
}

/// The path, if it is one that the bundler could have made: then nothing needs to be decoded, and nothing can climb.
fn plain(path: &str) -> Option<&str> {
    let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'_');
    let is_name =
        |part: &str| !part.is_empty() && !part.starts_with('.') && part.bytes().all(plain);
    (path.len() <= PATH_MAX_BYTES && path.split('/').all(is_name)).then_some(path)
}

fn is_place(path: &str) -> bool {
    let first = path.split('/').next().unwrap_or_default();
    let parts = path.split('/').count();
    if first == HANDBOOK {
        return parts <= HANDBOOK_PARTS_MAX;
    }
    PLACES.contains(&first) && !path.contains('.') && parts <= PLACE_PARTS_MAX
}

fn read(ui: &Ui, name: &str) -> Option<Vec<u8>> {
    match ui {
        Ui::Missing => None,
        Ui::Folder(folder) => read_beneath(folder, name),
        #[cfg(feature = "embed-ui")]
        Ui::Embedded => EMBEDDED.get_file(name).map(|file| file.contents().to_vec()),
    }
}

/// A link that leads out of the folder leads nowhere.
fn read_beneath(folder: &Path, name: &str) -> Option<Vec<u8>> {
    let folder = Dir::open_ambient_dir(folder, ambient_authority()).ok()?;
    let file = folder.open(name).ok()?;
    let meta = file.metadata().ok()?;
    if !meta.is_file() || meta.len() > FILE_MAX_BYTES {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(FILE_MAX_BYTES).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn file(name: &str, bytes: Vec<u8>) -> Response {
    let caching = if is_hashed(name) { FOREVER } else { ASK_AGAIN };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(mime(name))),
        (header::CACHE_CONTROL, HeaderValue::from_static(caching)),
    ];
    (headers, bytes).into_response()
}

fn mime(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, end)| end) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("webp") => "image/webp",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// `assets/index-B1c_D-3f.js`: a name that changes with the contents.
fn is_hashed(name: &str) -> bool {
    let Some(file) = name.strip_prefix(HASHED_FOLDER) else {
        return false;
    };
    let stem = file.split('.').next().unwrap_or_default();
    let is_hash = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let hash = stem.split_once('-').map(|(_, hash)| hash);
    hash.is_some_and(|hash| hash.len() >= HASH_MIN_CHARS && hash.chars().all(is_hash))
}

fn not_found() -> Response {
    refuse::usage(StatusCode::NOT_FOUND, "there is nothing at this address")
}

fn not_built() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (StatusCode::SERVICE_UNAVAILABLE, headers, NOT_BUILT).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_a_bundler_makes_are_looked_for() {
        for good in ["index.html", "assets/a-B1c_D-3f.js", "fonts/x/y.woff2"] {
            assert_eq!(plain(good), Some(good));
        }
        for bad in [
            "", "/", "..", "../x", "a/../b", "a//b", "./a", ".env", "a/.git", "%2e%2e/x", "a%00",
            "a\\b", "C:/x", "a b", "~x/é",
        ] {
            assert_eq!(plain(bad), None, "{bad}");
        }
        assert_eq!(plain(&"a".repeat(PATH_MAX_BYTES + 1)), None);
    }

    #[test]
    fn every_address_of_the_interface_is_its_page() {
        let router = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../ui/src/lib/route.ts");
        let router = std::fs::read_to_string(router).unwrap();
        let parse = router.split("export function").nth(1).unwrap();
        let known: Vec<&str> = parse
            .split("case '")
            .skip(1)
            .filter_map(|rest| rest.split('\'').next())
            .filter(|name| *name != "gallery")
            .collect();
        assert!(known.len() >= 7, "{known:?}");
        for name in known {
            assert!(is_place(name), "{name}");
        }
        for place in ["run/01JD0000000000000000004F2A", "help/errors/store.full"] {
            assert!(is_place(place), "{place}");
        }
        for other in [
            "help/errors/a/b",
            "helper/errors/store.full",
            "none",
            "assets/a.js",
            "run/a/b",
            "runs/../x",
            "waiting/x.js",
            "api/rpc",
        ] {
            assert!(!is_place(other), "{other}");
        }
    }

    #[test]
    fn only_what_has_a_hash_in_its_name_is_kept_forever() {
        assert!(is_hashed("assets/index-B1c_D-3f.js"));
        for changing in [
            "index.html",
            "assets/theme.js",
            "assets/a-short.js",
            "theme-B1cD3fgh.js",
        ] {
            assert!(!is_hashed(changing), "{changing}");
        }
    }
}
