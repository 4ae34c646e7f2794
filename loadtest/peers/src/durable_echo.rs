//! The ceiling of a durable server: HTTP, the signature, and the request's bytes on the disk before the answer.
//!
//! One thread writes. Whatever has arrived while it wrote becomes its next batch: one write, one flush, then all of the
//! batch are answered. The file is filled with zeros ahead, so that a flush has no length of the file to write as well.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use http_api::problem::{Problem, Result as Answered};
use tokio::sync::oneshot;

use crate::Common;
use crate::admission::{Admitted, admit};
use crate::codes::{Issued, Key};
use crate::echo::created;
use crate::failure::Result;
use crate::serve::serve;

/// About what one request takes in the file.
const BYTES_PER_REQUEST: usize = 256;

/// No more than this is filled ahead; what comes after makes the file grow.
const MOST_AHEAD: usize = 1 << 30;

/// A batch larger than this is not made, so that no answer waits for ever.
const BATCH: usize = 4096;

struct App {
    key: Key,
    writer: mpsc::Sender<Entry>,
}

struct Entry {
    admitted: Admitted,
    durable: oneshot::Sender<std::io::Result<()>>,
}

/// Appends and answers until it is told to end.
pub(crate) async fn run(common: Common, file: Option<PathBuf>) -> Result<()> {
    let issued = Issued::make(common.codes, common.out.as_deref())?;
    let folder = tempfile::tempdir()?;
    let path = file.unwrap_or_else(|| folder.path().join("requests.log"));
    let file = create(&path, (common.codes * BYTES_PER_REQUEST).min(MOST_AHEAD))?;
    let (writer, entries) = mpsc::channel();
    // Nobody waits for its end: what it has not flushed yet has been promised to nobody.
    std::thread::spawn(move || append(file, &entries));
    let app = Arc::new(App { key: issued.key, writer });
    let router = Router::new().route("/v1/redemptions", post(redeem)).with_state(app);
    serve(&common, router).await
}

async fn redeem(State(app): State<Arc<App>>, request: Request) -> Answered<Response> {
    let admitted = admit(&app.key, request).await?;
    let (durable, done) = oneshot::channel();
    app.writer.send(Entry { admitted, durable }).map_err(Problem::internal)?;
    done.await.map_err(Problem::internal)?.map_err(Problem::internal)?;
    Ok(created())
}

fn create(path: &Path, ahead: usize) -> Result<File> {
    let mut file = File::create_new(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let zeros = vec![0; 1 << 20];
    let mut left = ahead;
    while left > 0 {
        let part = left.min(zeros.len());
        file.write_all(&zeros[..part])?;
        left -= part;
    }
    file.sync_all()?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

fn append(mut file: File, entries: &mpsc::Receiver<Entry>) {
    let mut bytes = Vec::new();
    let mut batch = Vec::new();
    while let Ok(first) = entries.recv() {
        bytes.clear();
        frame(&mut bytes, &first.admitted);
        batch.push(first.durable);
        while batch.len() < BATCH
            && let Ok(next) = entries.try_recv()
        {
            frame(&mut bytes, &next.admitted);
            batch.push(next.durable);
        }
        let written = file.write_all(&bytes).and_then(|()| file.sync_data());
        for durable in batch.drain(..) {
            let result = written.as_ref().map(|&()| ()).map_err(|error| std::io::Error::from(error.kind()));
            // Whoever has hung up meanwhile needs no answer.
            let _ = durable.send(result);
        }
        // After a failed flush nobody can say what is on the disk, so that nothing more may be promised.
        if written.is_err() {
            return;
        }
    }
}

/// Two lengths of four bytes each, little end first, then the idempotency key and the body. A key is never empty, so
/// that two lengths of zero are the end of what was written.
fn frame(bytes: &mut Vec<u8>, admitted: &Admitted) {
    let (key, body) = (admitted.idempotency_key.as_bytes(), &admitted.body[..]);
    bytes.extend_from_slice(&(key.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&(body.len() as u32).to_le_bytes());
    bytes.extend_from_slice(key);
    bytes.extend_from_slice(body);
}
