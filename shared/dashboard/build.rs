//! Embeds what `npm run build` leaves in `services/risk-scorer/dashboard/dist`, texts compressed besides. Where nothing
//! was built, nothing is embedded.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

/// Smaller files are not worth a second copy.
const WORTH_BYTES: usize = 1_024;
const TEXTS: [&str; 7] = ["html", "js", "css", "svg", "json", "txt", "webmanifest"];

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let here = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?);
    let folder = here.join("../../services/risk-scorer/dashboard/dist");
    // A path that is not there counts as changed at every build, and all that links this crate would be linked anew. An
    // empty folder does not; where it cannot be made, that is the price.
    let _ = fs::create_dir_all(&folder);
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files = Vec::new();
    find(&folder, &mut files)?;
    files.sort();
    let mut code = "static EMBEDDED: &[File] = &[\n".to_owned();
    for (number, file) in files.iter().enumerate() {
        let path = served_as(&folder, file)?;
        let gzip = compressed(file, &out.join(format!("{number}.gz")))?;
        let gzip = gzip.map_or("None".to_owned(), |gzip| format!("Some(include_bytes!({}))", literal(&gzip)));
        let bytes = literal(&file.canonicalize()?);
        writeln!(code, "    File {{ path: {path:?}, bytes: include_bytes!({bytes}), gzip: {gzip} }},")?;
    }
    code.push_str("];\n");
    fs::write(out.join("embedded.rs"), code)?;
    Ok(())
}

/// A path as Rust writes a text.
fn literal(path: &Path) -> String {
    format!("{:?}", path.to_string_lossy())
}

/// All files of a folder but hidden ones.
fn find(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')) {
            continue;
        }
        if path.is_dir() { find(&path, files)? } else { files.push(path) }
    }
    Ok(())
}

/// The path of its URL, which is made of letters that need no escape.
fn served_as(folder: &Path, file: &Path) -> Result<String, Box<dyn Error>> {
    let path = format!("/{}", file.strip_prefix(folder)?.to_string_lossy());
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    if path.bytes().all(plain) { Ok(path) } else { Err(format!("{path}: a file's name is A-Za-z0-9._- here").into()) }
}

/// Where the compressed file is, if it is worth one.
fn compressed(file: &Path, to: &Path) -> std::io::Result<Option<PathBuf>> {
    let bytes = fs::read(file)?;
    let is_text = file.extension().is_some_and(|extension| TEXTS.iter().any(|text| extension == *text));
    if !is_text || bytes.len() < WORTH_BYTES {
        return Ok(None);
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&bytes)?;
    let smaller = encoder.finish()?;
    if smaller.len() >= bytes.len() {
        return Ok(None);
    }
    fs::write(to, smaller)?;
    Ok(Some(to.to_owned()))
}
