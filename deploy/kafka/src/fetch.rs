//! Fetching Kafka's jars, and the proxy that disturbs connections to it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;

/// Why something could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// A program is missing.
    #[error("{0} is needed; on Debian: apt-get install {1}")]
    Missing(&'static str, &'static str),
    /// Maven said no.
    #[error("maven could not fetch Apache Kafka: {0}")]
    Maven(String),
    /// Go said no.
    #[error("go could not install toxiproxy: {0}")]
    Go(String),
    /// The file system refused something.
    #[error("{0}")]
    Io(#[from] io::Error),
}

const TOXIPROXY: &str = "2.12.0";

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
    runs("java", "-version", "default-jre-headless")?;
    runs("mvn", "-version", "maven")?;
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
        return Err(FetchError::Maven(said(&output)));
    }
    if let Err(error) = fs::rename(&draft, &folder)
        && !folder.is_dir()
    {
        return Err(error.into());
    }
    let _ = fs::remove_dir_all(&draft);
    Ok(folder)
}

/// The proxy that disturbs connections, built from its source if it is not there yet.
pub(crate) fn toxiproxy() -> Result<PathBuf, FetchError> {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/kafka").join(format!("toxiproxy-{TOXIPROXY}"));
    let program = folder.join("server");
    let _one = FETCHING.lock();
    if program.is_file() {
        return Ok(program);
    }
    runs("go", "version", "golang-go")?;
    // Whole or not at all, as the jars.
    let draft = folder.join(format!("draft-{}", std::process::id()));
    fs::create_dir_all(&draft)?;
    let output = Command::new("go")
        .args(["install", &format!("github.com/Shopify/toxiproxy/v2/cmd/server@v{TOXIPROXY}")])
        .env("GOBIN", fs::canonicalize(&draft)?)
        .output()?;
    if !output.status.success() {
        return Err(FetchError::Go(said(&output)));
    }
    fs::rename(draft.join("server"), &program)?;
    fs::remove_dir_all(&draft)?;
    Ok(program)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

fn runs(program: &'static str, argument: &str, package: &'static str) -> Result<(), FetchError> {
    match Command::new(program).arg(argument).output() {
        Ok(output) if output.status.success() => Ok(()),
        _ => Err(FetchError::Missing(program, package)),
    }
}
