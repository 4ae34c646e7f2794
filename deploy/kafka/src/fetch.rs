//! Fetching the jars.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// Why there are no jars.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// A program is missing.
    #[error("{0} is needed to run a real Kafka; on Debian: apt-get install default-jre-headless maven")]
    Missing(&'static str),
    /// Maven said no.
    #[error("maven could not fetch Apache Kafka: {0}")]
    Maven(String),
    /// The file system refused something.
    #[error("{0}")]
    Io(#[from] io::Error),
}

static FETCHING: Mutex<()> = Mutex::new(());

/// The folder with the jars of a broker, fetched if they are not there yet.
pub fn jars() -> Result<PathBuf, FetchError> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = home.join("../../target/kafka");
    let folder = target.join("libs-4.1.0");
    // Threads of one program wait for each other; two programs each fetch, and the first one's is taken.
    let _one = FETCHING.lock();
    if folder.is_dir() {
        return Ok(folder);
    }
    runs("java")?;
    runs("mvn")?;
    fs::create_dir_all(&target)?;
    // Whole or not at all: two that fetch at once do not see each other's halves.
    let draft = target.join(format!("draft-{}", std::process::id()));
    let output = Command::new("mvn")
        .args(["--quiet", "--batch-mode", "--file"])
        .arg(home.join("pom.xml"))
        .arg("dependency:copy-dependencies")
        .arg(format!("-DoutputDirectory={}", draft.display()))
        .output()?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        return Err(FetchError::Maven(String::from_utf8_lossy(&said).into_owned()));
    }
    if let Err(error) = fs::rename(&draft, &folder)
        && !folder.is_dir()
    {
        return Err(error.into());
    }
    let _ = fs::remove_dir_all(&draft);
    Ok(folder)
}

fn runs(program: &'static str) -> Result<(), FetchError> {
    match Command::new(program).arg("-version").output() {
        Ok(output) if output.status.success() => Ok(()),
        _ => Err(FetchError::Missing(program)),
    }
}
