//! The pages for people: made by `npm run build` in `services/risk-scorer/dashboard`, embedded when this crate is built,
//! and served as they are. They call the same API as everybody.
//!
//! Architecture invariant: pages load nothing from another host and run nothing that is not a file of theirs. The policy
//! that says so to browsers goes with every answer.

mod absent;
mod answer;

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::http::HeaderMap;
use axum::routing::get;

use crate::answer::Asset;

/// A file of the pages.
#[derive(Clone, Copy, Debug)]
pub struct File {
    /// The path of its URL, such as `/index.html` or `/assets/index-Bq3xk2.js`.
    pub path: &'static str,
    /// As it was built.
    pub bytes: &'static [u8],
    /// The same in gzip's format (RFC 1952), where that is smaller.
    pub gzip: Option<&'static [u8]>,
}

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// The files that this build embeds; none where the pages were not built before.
pub fn embedded() -> &'static [File] {
    EMBEDDED
}

/// Whether there are pages in this build.
pub fn is_embedded() -> bool {
    has_index(EMBEDDED)
}

/// The files of a folder, which are kept until the process ends.
///
/// # Errors
/// Where it cannot be read.
pub fn from_folder(folder: &Path) -> std::io::Result<&'static [File]> {
    let mut files = Vec::new();
    read(folder, "", &mut files)?;
    Ok(files.leak())
}

fn read(folder: &Path, path: &str, files: &mut Vec<File>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = format!("{path}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            read(&entry.path(), &path, files)?;
        } else {
            files.push(File { path: path.leak(), bytes: std::fs::read(entry.path())?.leak(), gzip: None });
        }
    }
    Ok(())
}

fn has_index(files: &[File]) -> bool {
    files.iter().any(|file| file.path == INDEX)
}

const INDEX: &str = "/index.html";

/// Serves the pages: the index at `/`, all other files at their paths. Without an index, `/` says how to get the pages.
pub fn router(files: &'static [File]) -> Router {
    if !has_index(files) {
        return Router::new().route("/", get(|| async { absent::page() }));
    }
    files.iter().fold(Router::new(), |router, file| {
        let asset = Arc::new(Asset::new(file));
        let path = if file.path == INDEX { "/" } else { file.path };
        router.route(path, get(move |headers: HeaderMap| async move { asset.answer(&headers) }))
    })
}

#[cfg(test)]
mod tests;
